//! How much, how many, how long.

use std::time::Duration;

use cofferdam_model::engine::Protocol;
use http_body_util::BodyExt as _;
use hyper::{Method, Response};
use wasmtime_wasi_http::RequestOptions;

use super::server::{Seen, Server, body, fine, raw};
use super::{Host, Limits, grant, is, place, request, usual};

fn large(_: &Seen) -> Response<super::WasiBody> {
    Response::new(body(vec![b'x'; 100_000]))
}

#[tokio::test]
async fn an_answer_is_cut_at_the_calls_allowance() {
    let server = Server::start(None, large).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let url = format!("http://api.corp:{port}/");
    let grants = [grant("api.corp", port, Protocol::Http)];
    let limits = Limits { http_body_bytes: 150_000, ..usual() };
    let mut call = host.call_with(&grants, &limits, place("b", 1));
    assert!(call.get(&url).await.is_ok_and(|(_, body)| body.len() == 100_000));
    assert!(is(&call.get(&url).await, "HttpResponseBodySize"), "both together are too much");
    assert!(host.last_denial().starts_with("receive from http://api.corp:"), "{}", host.last_denial());
    assert!(host.call_with(&grants, &limits, place("b", 1)).get(&url).await.is_ok(), "the next call has its own");
}

#[tokio::test]
async fn a_request_is_cut_at_the_calls_allowance() {
    let server = Server::start(None, fine).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let limits = Limits { http_body_bytes: 1000, ..usual() };
    let mut call = host.call_with(&[grant("api.corp", port, Protocol::Http)], &limits, place("b", 1));
    let post = |bytes: usize| request(Method::POST, &format!("http://api.corp:{port}/")).map(|_| body(vec![0; bytes]));
    let sent = call.send(post(1001)).await;
    assert!(is(&sent, "HttpRequestBodySize"), "{sent:?}");
    assert!(host.last_denial().starts_with("send to http://api.corp:"), "{}", host.last_denial());
    assert!(call.send(post(1000)).await.is_ok(), "the twin");
    assert_eq!(server.seen().last().map(|s| s.body.len()), Some(1000));
}

#[tokio::test]
async fn requests_are_counted() {
    let server = Server::start(None, fine).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let url = format!("http://api.corp:{port}/");
    let limits = Limits { http_requests: 3, http_at_once: 1, ..usual() };
    let mut call = host.call_with(&[grant("api.corp", port, Protocol::Http)], &limits, place("b", 1));
    let unread = call.send(request(Method::GET, &url)).await.unwrap();
    assert!(is(&call.get(&url).await, "ConnectionLimitReached"), "an answer that is not read holds its place");
    drop(unread);
    assert!(call.get(&url).await.is_ok());
    assert!(is(&call.get(&url).await, "HttpRequestDenied"));
    assert!(host.last_denial().contains("used up its requests"));
}

#[tokio::test]
async fn heads_without_end_are_refused() {
    let many = (0..5000).fold("HTTP/1.1 200 OK\r\n".to_owned(), |head, i| format!("{head}x-{i}: 1\r\n"));
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(100_000));
    for head in [format!("{many}content-length: 0\r\n\r\n"), long] {
        let port = raw(head.into_bytes()).await.port();
        let host = Host::believing("");
        let mut call = host.call(&[grant("api.corp", port, Protocol::Http)]);
        let said = call.get(&format!("http://api.corp:{port}/")).await;
        assert!(is(&said, "HttpResponseHeaderSectionSize"), "{said:?}");
    }
}

#[tokio::test]
async fn answers_that_are_none_are_refused() {
    for (bytes, error) in [
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "HttpProtocolError"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 50\r\n\r\nabcde", "HttpProtocolError"),
    ] {
        let port = raw(bytes.as_bytes().to_vec()).await.port();
        let host = Host::believing("");
        let said = host.call(&[grant("api.corp", port, Protocol::Http)]).get(&format!("http://api.corp:{port}/")).await;
        assert!(is(&said, error), "{bytes:?}: {said:?}");
    }
}

#[tokio::test]
async fn the_host_waits_no_longer_than_it_will() {
    let silent = raw(Vec::new()).await.port();
    let stuck = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc".to_vec()).await.port();
    let host = Host::believing("");
    let grants = [silent, stuck].map(|port| grant("api.corp", port, Protocol::Http));
    let patient = Duration::from_secs(3600);
    let asked = RequestOptions {
        connect_timeout: Some(patient),
        first_byte_timeout: Some(patient),
        between_bytes_timeout: Some(patient),
    };
    let limits = Limits { http_wait_ms: 50, ..usual() };
    let mut call = host.call_with(&grants, &limits, place("b", 1));
    let head = call.send_within(request(Method::GET, &format!("http://api.corp:{silent}/")), Some(asked)).await;
    assert!(is(&head, "ConnectionReadTimeout"), "{head:?}");
    let answer = call.send_within(request(Method::GET, &format!("http://api.corp:{stuck}/")), Some(asked)).await;
    let rest = answer.unwrap().into_body().collect().await;
    assert!(is(&rest, "ConnectionReadTimeout"), "{rest:?}");
    // A guest may be less patient.
    let hasty = RequestOptions { first_byte_timeout: Some(Duration::from_millis(20)), ..asked };
    let mut call = host.call(&grants);
    let head = call.send_within(request(Method::GET, &format!("http://api.corp:{silent}/")), Some(hasty)).await;
    assert!(is(&head, "ConnectionReadTimeout"), "{head:?}");
}
