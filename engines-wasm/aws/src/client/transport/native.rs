//! HTTP/1.1 without TLS over a socket of our own: for native tests, one request after the other.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep as Slept};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

const PATIENCE: Duration = Duration::from_secs(10);

/// Sleeps the thread when it is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Sleep;

impl AsyncSleep for Sleep {
    fn sleep(&self, duration: Duration) -> Slept {
        Slept::new(async move { std::thread::sleep(duration) })
    }
}

/// Runs what never waits for anything but this thread.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = work.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::yield_now();
    }
}

/// Sends over a socket.
pub(crate) fn http() -> SharedHttpClient {
    http_client_fn(|_, _| SharedHttpConnector::new(Plain))
}

#[derive(Debug)]
struct Plain;

impl HttpConnector for Plain {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = send(&request).map_err(|error| ConnectorError::io(error.into()));
        HttpConnectorFuture::ready(sent)
    }
}

fn send(request: &HttpRequest) -> io::Result<HttpResponse> {
    let address = request.uri().strip_prefix("http://").ok_or_else(|| bad("only http:// in native tests"))?;
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    let body = request.body().bytes().unwrap_or_default();
    let mut head = format!("{} /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n", request.method());
    let headers = request.headers().iter().filter(|(name, _)| !matches!(*name, "host" | "content-length"));
    headers.for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // In one piece, or the kernel waits with the second one.
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| bad("the answer was cut off"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0_u16);
    let status = status.try_into().map_err(|_| bad("no status"))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        response.headers_mut().try_append(name.to_ascii_lowercase(), value.to_owned()).map_err(io::Error::other)?;
    }
    Ok(response)
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
