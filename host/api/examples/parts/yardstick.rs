//! What the yardsticks of the benches share: the server that the listeners run on, and an answer that never changes.

use std::net::TcpListener;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY};
use axum_server::accept::NoDelayAcceptor;
use hyper_util::rt::TokioTimer;

/// A connection that says nothing for so long is closed, as a listener closes it.
const IDLE: Duration = Duration::from_secs(300);

/// The body in this file, and the headers of every answer.
pub(crate) fn answer(path: &str) -> std::io::Result<(HeaderMap, Bytes)> {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    Ok((headers, Bytes::from(std::fs::read(path)?)))
}

/// Listens on a free port of 127.0.0.1 and prints the address.
pub(crate) async fn serve(app: Router) -> std::io::Result<()> {
    let socket = TcpListener::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    println!("{}", socket.local_addr()?);
    let mut server = axum_server::from_tcp(socket)?;
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(IDLE);
    server.acceptor(NoDelayAcceptor::new()).serve(app.into_make_service()).await
}
