//! Connections between requests and between calls.

use cofferdam_model::engine::Protocol;
use http_body_util::BodyExt as _;
use hyper::{Method, Response};

use super::super::traffic::Traffic;
use super::server::{Seen, Server, body, fine};
use super::{Gate, Hooks, Host, Limits, Origin, grant, is, place, request, usual};
use crate::leash::Leashes;

#[tokio::test]
async fn the_next_call_of_a_backend_finds_the_connection() {
    let server = Server::start(Some("api.corp"), fine).await;
    let (port, host) = (server.address.port(), Host::believing(&server.authority));
    let (url, grants) = (format!("https://api.corp:{port}/"), [grant("api.corp", port, Protocol::Https)]);
    for _ in 0..3 {
        assert!(host.call(&grants).get(&url).await.is_ok());
    }
    assert_eq!(server.connections(), 1);
    for (other, connections) in [(place("c", 1), 2), (place("b", 2), 3)] {
        assert!(host.call_with(&grants, &usual(), other).get(&url).await.is_ok());
        assert_eq!(server.connections(), connections, "another backend or generation has its own");
    }
    host.border.pool.forget_target("m", "b", 1);
    assert!(host.call(&grants).get(&url).await.is_ok());
    assert_eq!(server.connections(), 4, "withdrawn");
    assert!(host.call_with(&grants, &usual(), place("b", 2)).get(&url).await.is_ok());
    assert_eq!(server.connections(), 4, "a later generation stays");
}

#[tokio::test]
async fn a_kept_connection_serves_only_what_is_granted_now() {
    let server = Server::start(None, fine).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let url = format!("http://api.corp:{port}/");
    assert!(host.call(&[grant("api.corp", port, Protocol::Http)]).get(&url).await.is_ok());
    assert!(is(&host.call(&[]).get(&url).await, "HttpRequestDenied"));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn no_more_are_kept_than_the_policy_says() {
    let server = Server::start(None, fine).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let (url, grants) = (format!("http://api.corp:{port}/"), [grant("api.corp", port, Protocol::Http)]);
    let limits = Limits { http_kept: 0, ..usual() };
    for connections in 1..3 {
        assert!(host.call_with(&grants, &limits, place("b", 1)).get(&url).await.is_ok());
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_no_failure() {
    fn last(_: &Seen) -> Response<super::WasiBody> {
        let mut response = Response::new(body("bye"));
        response.headers_mut().insert("connection", "close".parse().unwrap());
        response
    }
    let server = Server::start(None, last).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let (url, grants) = (format!("http://api.corp:{port}/"), [grant("api.corp", port, Protocol::Http)]);
    for connections in 1..4 {
        assert!(host.call(&grants).get(&url).await.is_ok());
        assert_eq!(server.connections(), connections);
    }
}

#[tokio::test]
async fn an_answer_that_is_not_read_is_not_followed_by_another() {
    let server = Server::start(None, |_| Response::new(body(vec![b'x'; 200_000]))).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let (url, grants) = (format!("http://api.corp:{port}/"), [grant("api.corp", port, Protocol::Http)]);
    drop(host.call(&grants).send(request(Method::GET, &url)).await.unwrap());
    assert!(host.call(&grants).get(&url).await.is_ok_and(|(_, body)| body.len() == 200_000));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn the_end_of_a_call_ends_its_connections() {
    let server = Server::start(None, |_| Response::new(body(vec![b'x'; 8_000_000]))).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let (url, grants) = (format!("http://api.corp:{port}/"), [grant("api.corp", port, Protocol::Http)]);
    let mut call = host.call(&grants);
    let answer = call.send(request(Method::GET, &url)).await.unwrap();
    call.gate.close();
    assert!(answer.into_body().collect().await.is_err(), "the rest of it came after the call");
    assert!(is(&call.get(&url).await, "HttpRequestDenied"));
}

#[tokio::test]
async fn a_connection_whose_grants_are_gone_is_not_kept() {
    let server = Server::start(None, fine).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let (url, grants) = (format!("http://api.corp:{port}/"), vec![grant("api.corp", port, Protocol::Http)]);
    let leashes = Leashes::default();
    for (pull, connections) in [(false, 1), (true, 1), (false, 2)] {
        let gate = std::sync::Arc::new(Gate::shut(std::sync::Arc::clone(&host.border)));
        let leash = leashes.tie("m", "b", 1);
        let traffic = Traffic::new(&Limits { ..usual() }, Some(place("b", 1)), Some(leash));
        gate.open(Origin::default(), grants.clone(), &usual(), traffic);
        let mut call = super::Call { hooks: Hooks::new(std::sync::Arc::clone(&gate)), gate };
        let answer = call.send(request(Method::GET, &url)).await.unwrap();
        if pull {
            leashes.pull("m", "b", 1);
        }
        assert!(answer.into_body().collect().await.is_ok());
        assert_eq!(server.connections(), connections);
    }
}
