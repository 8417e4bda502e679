//! One HTTP/1.1 connection, with the task that drives it: they end together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::client::conn::http1::{Builder, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, Result};

use super::body::Sent;

/// Headers of an answer: how many, and bytes in all.
const MAX_HEADERS: usize = 128;
const MAX_HEAD: usize = 32 << 10;
/// What is read ahead.
const MAX_BUFFER: usize = 64 << 10;
/// How long the end of the last answer may take to be noticed.
const NOTICE: Duration = Duration::from_secs(1);

/// A stream to a server, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to one place, for one request at a time.
pub(crate) struct Connection {
    /// Different for each connection of this process.
    pub(super) number: u64,
    pub(super) sender: SendRequest<Sent>,
    pub(super) born: Instant,
    /// Ends the connection when it is dropped.
    driver: AbortOnDropJoinHandle<()>,
}

impl Connection {
    /// Speaks HTTP/1.1 on a stream.
    pub(super) async fn on(stream: Box<dyn Stream>) -> Result<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let (sender, connection) = Builder::new()
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Error::from)?;
        let driver = spawn(async move {
            // Whoever uses the connection gets the same error.
            drop(connection.await);
        });
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Ok(Self { number, sender, born: Instant::now(), driver })
    }

    /// What ends it from elsewhere.
    pub(super) fn task(&self) -> AbortHandle {
        self.driver.abort_handle()
    }

    /// Whether the next request can be sent on it.
    pub(super) async fn is_ready(&mut self) -> bool {
        matches!(timeout(NOTICE, self.sender.ready()).await, Ok(Ok(())))
    }

    /// Whether the other side closed it, or the last answer left it in no state for another one.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}
