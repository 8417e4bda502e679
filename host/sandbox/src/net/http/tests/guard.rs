//! Where requests get, and where they do not.

use cofferdam_model::engine::Protocol;
use hyper::header::LOCATION;
use hyper::{Method, Response};

use super::server::{Seen, Server, body, fine};
use super::{Host, grant, is, request};

#[tokio::test]
async fn a_granted_place_is_reached_under_its_own_name() {
    let server = Server::start(Some("api.corp"), fine).await;
    let (port, host) = (server.address.port(), Host::believing(&server.authority));
    let mut call = host.call(&[grant("api.corp", port, Protocol::Https)]);
    for url in [format!("https://api.corp:{port}/a?b=c"), format!("https://API.Corp:{port}/a?b=c")] {
        assert_eq!(call.get(&url).await.unwrap(), (200, "fine".into()), "{url}");
    }
    let want = Seen {
        sni: Some("api.corp".to_owned()),
        hosts: vec![format!("api.corp:{port}")],
        line: "GET /a?b=c".to_owned(),
        body: Vec::new(),
    };
    assert_eq!(server.seen(), [want.clone(), want]);
    let counts = host.border.ledger.reports().first().map(|r| r.counts).unwrap_or_default();
    assert_eq!((counts.requests, counts.lookups, counts.connections, counts.denials), (2, 1, 1, 0));
}

#[tokio::test]
async fn what_does_not_name_the_granted_place_is_refused_before_anything_is_asked() {
    let server = Server::start(None, fine).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    host.table.set("evil.example", &[[127, 0, 0, 1].into()]);
    let mut call = host.call(&[grant("api.corp", port, Protocol::Http)]);
    for url in [
        format!("http://evil.example:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://api.corp.:{port}/"),
        format!("http://api.corp@evil.example:{port}/"),
        format!("http://evil.example@api.corp:{port}/"),
        format!("http://sub.api.corp:{port}/"),
        "http://api.corp/".to_owned(),
        format!("https://api.corp:{port}/"),
    ] {
        let refused = call.get(&url).await;
        assert!(is(&refused, "HttpRequestDenied") || is(&refused, "HttpRequestUriInvalid"), "{url}: {refused:?}");
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(host.table.asked.load(std::sync::atomic::Ordering::Relaxed), 0, "nothing left for an ungranted name");
    assert_eq!(host.border.ledger.denials().len(), 11);
    assert!(call.get(&format!("http://api.corp:{port}/")).await.is_ok(), "the twin");
}

#[tokio::test]
async fn without_a_backend_there_is_no_http() {
    let server = Server::start(None, fine).await;
    let host = Host::believing("");
    let mut call = host.call(&[]);
    assert!(is(&call.get(&format!("http://127.0.0.1:{}/", server.address.port())).await, "HttpRequestDenied"));
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn a_shut_address_stays_shut_under_a_granted_name() {
    let host = Host::believing("");
    for ip in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200", "64:ff9b::a9fe:a9fe"] {
        host.table.set("api.corp", &ip.parse().into_iter().collect::<Vec<_>>());
        let mut call = host.call(&[grant("api.corp", 80, Protocol::Http)]);
        assert!(is(&call.get("http://api.corp/").await, "DestinationIpProhibited"), "{ip}");
        assert!(host.last_denial().starts_with("request http://api.corp at "), "{}", host.last_denial());
    }
    let mut call = host.call(&[grant("169.254.169.254", 80, Protocol::Http)]);
    assert!(is(&call.get("http://169.254.169.254/latest").await, "DestinationIpProhibited"), "a literal");
}

#[tokio::test]
async fn a_connection_goes_to_the_address_that_was_looked_at() {
    let server = Server::start(None, fine).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    // One of the addresses is shut: only the other one is tried.
    host.table.set("api.corp", &[[169, 254, 169, 254].into(), [127, 0, 0, 1].into()]);
    let grants = [grant("api.corp", port, Protocol::Http)];
    assert!(host.call(&grants).get(&format!("http://api.corp:{port}/")).await.is_ok());
    assert_eq!(host.table.asked.load(std::sync::atomic::Ordering::Relaxed), 1, "asked once, and not again to connect");
    // Rebound: the next connection looks anew, and is refused.
    host.border.pool.clear();
    host.table.set("api.corp", &[[169, 254, 169, 254].into()]);
    let rebound = host.call(&grants).get(&format!("http://api.corp:{port}/")).await;
    assert!(is(&rebound, "DestinationIpProhibited"), "{rebound:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_certificate_must_name_the_granted_host() {
    let server = Server::start(Some("other.corp"), fine).await;
    let (port, host) = (server.address.port(), Host::believing(&server.authority));
    let url = format!("https://api.corp:{port}/");
    let refused = host.call(&[grant("api.corp", port, Protocol::Https)]).get(&url).await;
    assert!(is(&refused, "TlsCertificateError"), "{refused:?}");
    let stranger = Server::start(Some("api.corp"), fine).await;
    let port = stranger.address.port();
    let url = format!("https://api.corp:{port}/");
    let refused = host.call(&[grant("api.corp", port, Protocol::Https)]).get(&url).await;
    assert!(is(&refused, "TlsCertificateError"), "an authority that nobody named: {refused:?}");
    assert!(server.seen().is_empty() && stranger.seen().is_empty());
}

#[tokio::test]
async fn a_redirect_is_the_guests_and_asks_again() {
    fn elsewhere(_: &Seen) -> Response<super::WasiBody> {
        let mut response = Response::new(body(""));
        *response.status_mut() = hyper::StatusCode::FOUND;
        response.headers_mut().insert(LOCATION, "http://evil.example/".parse().unwrap());
        response
    }
    let (server, evil) = (Server::start(None, elsewhere).await, Server::start(None, fine).await);
    let (port, host) = (server.address.port(), Host::believing(""));
    host.table.set("evil.example", &[[127, 0, 0, 1].into()]);
    let mut call = host.call(&[grant("api.corp", port, Protocol::Http)]);
    let answer = call.send(request(Method::GET, &format!("http://api.corp:{port}/"))).await.unwrap();
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers().get(LOCATION).and_then(|l| l.to_str().ok()), Some("http://evil.example/"));
    let followed = call.get(&format!("http://evil.example:{}/", evil.address.port())).await;
    assert!(is(&followed, "HttpRequestDenied"));
    assert_eq!(evil.connections(), 0);
}

#[tokio::test]
async fn no_connection_becomes_a_tunnel() {
    let server = Server::start(None, fine).await;
    let (port, host) = (server.address.port(), Host::believing(""));
    let mut call = host.call(&[grant("api.corp", port, Protocol::Http)]);
    for method in ["CONNECT", "TRACE", "PRI"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let sent = call.send(request(method.clone(), &format!("http://api.corp:{port}/"))).await;
        assert!(is(&sent, "HttpRequestMethodInvalid"), "{method}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn an_operators_literal_opens_what_is_shut() {
    let server = Server::start(Some("127.0.0.1"), fine).await;
    let port = server.address.port();
    let mut host = Host::believing(&server.authority);
    std::sync::Arc::get_mut(&mut host.border).unwrap().shut.allow_loopback = false;
    let url = format!("https://127.0.0.1:{port}/");
    let derived = grant("127.0.0.1", port, Protocol::Tcp);
    assert!(is(&host.call(std::slice::from_ref(&derived)).get(&url).await, "DestinationIpProhibited"));
    let explicit = super::Grant { origin: super::GrantOrigin::Operator, ..derived };
    assert!(host.call(&[explicit]).get(&url).await.is_ok());
    assert_eq!(server.seen().first().map(|s| s.sni.clone()), Some(None), "an address is no SNI");
}
