//! HTTP/1.1 without TLS over a socket of our own: for native tests and the measurement, one request after the other over
//! one connection.

use std::cell::RefCell;
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

thread_local! {
    /// The connection of the last request, and to where: the next one goes over it if the other side kept it open.
    static KEPT: RefCell<Option<(String, TcpStream)>> = const { RefCell::new(None) };
}

fn send(request: &HttpRequest) -> io::Result<HttpResponse> {
    let address = request.uri().strip_prefix("http://").ok_or_else(|| bad("only http:// in native tests"))?;
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    let body = request.body().bytes().unwrap_or_default();
    let mut head = format!("{} /{path} HTTP/1.1\r\nhost: {authority}\r\n", request.method());
    let headers = request.headers().iter().filter(|(name, _)| !matches!(*name, "host" | "content-length"));
    headers.for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    // In one piece, or the kernel waits with the second one.
    let request = [head.as_bytes(), body].concat();
    let kept = KEPT.take().filter(|(at, _)| at == authority).map(|(_, stream)| stream);
    let (answer, stream) = match kept.map(|stream| exchange(stream, &request)) {
        Some(Ok(exchanged)) => exchanged,
        // The other side may have closed it in the meantime.
        _ => exchange(TcpStream::connect(authority)?, &request)?,
    };
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| bad("the answer was cut off"))?;
    if header(head, "content-length").is_some() && header(head, "connection") != Some("close") {
        KEPT.set(Some((authority.to_owned(), stream)));
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0_u16);
    let status = status.try_into().map_err(|_| bad("no status"))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        response.headers_mut().try_append(name.to_ascii_lowercase(), value.to_owned()).map_err(io::Error::other)?;
    }
    Ok(response)
}

/// The answer to one request, as text, and the connection that it came over.
fn exchange(mut stream: TcpStream, request: &[u8]) -> io::Result<(String, TcpStream)> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let read = stream.read(&mut buffer)?;
        answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&answer);
        let length = text.split_once("\r\n\r\n").and_then(|(head, body)| {
            let length: usize = header(head, "content-length")?.parse().ok()?;
            Some((body.len(), length))
        });
        match length {
            Some((there, wanted)) if there >= wanted => return Ok((text.into_owned(), stream)),
            // Without a length, the answer ends with the connection.
            None if read == 0 && !answer.is_empty() => return Ok((text.into_owned(), stream)),
            _ if read == 0 => return Err(bad("the answer was cut off")),
            _ => {}
        }
    }
}

/// A header's value.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut all = head.lines().filter_map(|line| line.split_once(':'));
    all.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
