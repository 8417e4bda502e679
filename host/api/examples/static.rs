//! The yardstick of the benches: the server that the listeners run on, with an answer that is always the same.
//!
//! `static <file>` reads the body from a file, listens on a free port of 127.0.0.1 and prints the
//! address. Every request gets that body and the headers of every answer; nothing is authenticated, looked up or written.
#![expect(clippy::print_stdout, reason = "whoever starts it reads the address")]
#![expect(clippy::disallowed_methods, reason = "a tool of the benches reads a file of theirs")]

use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY};
use axum_server::accept::NoDelayAcceptor;
use hyper_util::rt::TokioTimer;

/// A connection that says nothing for so long is closed, as a listener closes it.
const IDLE: Duration = Duration::from_secs(300);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which answer?")?;
    let body = Bytes::from(std::fs::read(path)?);
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    let answer = (headers, body);
    let app = Router::new().fallback(move || std::future::ready(answer.clone()));

    let socket = TcpListener::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    println!("{}", socket.local_addr()?);
    let mut server = axum_server::from_tcp(socket)?;
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    server.acceptor(NoDelayAcceptor::new()).serve(app.into_make_service()).await?;
    Ok(())
}
