//! The client against a server of a few lines that answers from a script.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Answers each connection with the next line of the script and keeps what it was sent.
async fn server(script: &[&str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let script: Vec<String> = script.iter().map(|s| s.replace("$ADDR", &address)).collect();
    let log = seen.clone();
    tokio::spawn(async move {
        for answer in script {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let n = stream.read(&mut buffer).await.unwrap();
                got.extend_from_slice(&buffer[..n]);
                if n == 0 || is_whole(&got) {
                    break;
                }
            }
            log.lock().unwrap().push(String::from_utf8_lossy(&got).into_owned());
            let (head, body) = answer.split_once('|').unwrap_or((&answer, ""));
            let text = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    });
    (address, seen)
}

fn is_whole(got: &[u8]) -> bool {
    // A greeting of TLS is answered at once, as a server without TLS would.
    if got.first() == Some(&0x16) {
        return true;
    }
    let text = String::from_utf8_lossy(got);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    body.len() >= length.map_or(0, |l| l.parse().unwrap())
}

fn client(address: &str, change: impl FnOnce(&mut Config)) -> Client {
    let mut config = Config {
        address: address.to_owned(),
        token: Some("hvs.t".into()),
        retry_wait: (Duration::ZERO, Duration::ZERO),
        ..Config::default()
    };
    change(&mut config);
    Client::new(config, &NoFiles).unwrap()
}

#[tokio::test]
async fn sends_headers_query_and_body() {
    let (address, seen) = server(&["200 OK|{\"data\":{\"a\":1.10}}", "204 No Content"]).await;
    let client = client(&address, |c| {
        c.namespace = Some("ns".into());
        c.wrap_ttl = Some("60s".into());
    });
    let read = client.send(&Request::list("/kv//a b/").query("after", "x&y")).await.unwrap();
    assert_eq!(read.secret().unwrap().unwrap().field("a").unwrap().to_string(), "1.10");
    let patch = Request::new(Method::Patch, "kv/a").body(serde_json::json!({"k": 1})).unwrapped();
    assert!(client.send(&patch).await.unwrap().secret().unwrap().is_none());
    let seen = seen.lock().unwrap().clone();
    assert!(seen[0].starts_with("GET /v1/kv/a%20b?after=x%26y&list=true HTTP/1.1\r\n"), "{}", seen[0]);
    for header in ["x-vault-request: true", "x-vault-token: hvs.t", "x-vault-namespace: ns", "x-vault-wrap-ttl: 60s"] {
        assert!(seen[0].contains(header), "{header} in {}", seen[0]);
    }
    assert!(seen[1].contains("content-type: application/merge-patch+json") && seen[1].ends_with("{\"k\":1}"));
    assert!(!seen[1].contains("wrap-ttl"));
}

#[tokio::test]
async fn repeats_what_the_server_asks_to_repeat() {
    let (address, seen) =
        server(&["503 Service Unavailable|{\"errors\":[]}", "412 Precondition Failed", "200 OK|{}"]).await;
    assert_eq!(client(&address, |_| ()).send(&Request::new(Method::Get, "a")).await.unwrap().status, 200);
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn gives_the_last_answer_and_never_repeats_501_or_a_refusal() {
    for (answer, status) in
        [("501 Not Implemented|{\"errors\":[\"x\"]}", 501), ("403 Forbidden|{\"errors\":[\"x\"]}", 403)]
    {
        let (address, seen) = server(&[answer, answer]).await;
        let error = client(&address, |_| ()).send(&Request::new(Method::Get, "a")).await.unwrap_err();
        assert_eq!((error.status(), seen.lock().unwrap().len()), (Some(status), 1));
        assert_eq!(error.response().unwrap().errors, ["x"]);
    }
    let (address, seen) = server(&["500 Internal Server Error|{}"; 3]).await;
    let error = client(&address, |_| ()).send(&Request::new(Method::Get, "a")).await.unwrap_err();
    assert_eq!((error.status(), seen.lock().unwrap().len()), (Some(500), 3));
}

#[tokio::test]
async fn follows_one_redirect_with_body_and_token() {
    let there = "307 Temporary Redirect\r\nlocation: $ADDR/v1/b";
    let (address, seen) = server(&[there, "200 OK|{}"]).await;
    let put = Request::new(Method::Put, "a").body(serde_json::json!({"k": "v"}));
    assert_eq!(client(&address, |_| ()).send(&put).await.unwrap().status, 200);
    let last = seen.lock().unwrap()[1].clone();
    assert!(last.starts_with("PUT /v1/b ") && last.contains("hvs.t") && last.ends_with("{\"k\":\"v\"}"));

    let (address, _) = server(&[there, there]).await;
    let error = client(&address, |_| ()).send(&put).await.unwrap_err();
    assert_eq!(error.status(), Some(307), "a second redirect is not followed");
    let (address, seen) = server(&[there]).await;
    let error = client(&address, |c| c.follow_redirect = false).send(&put).await.unwrap_err();
    assert_eq!((error.status(), seen.lock().unwrap().len()), (Some(307), 1));
}

#[tokio::test]
async fn says_that_nobody_listens() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let error = client(&format!("http://{address}"), |_| ()).send(&Request::new(Method::Put, "a")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Put \"http://{address}/v1/a\": dial tcp {address}: connect: connection refused")
    );
}

#[tokio::test]
async fn says_that_the_server_speaks_no_tls() {
    let (address, _) = server(&["400 Bad Request|no"]).await;
    let address = address.replace("http:", "https:");
    let error = client(&address, |_| ()).send(&Request::new(Method::Get, "a")).await.unwrap_err();
    assert!(error.to_string().ends_with("http: server gave HTTP response to HTTPS client"), "{error}");
}

#[test]
fn refuses_addresses_it_cannot_use() {
    for address in ["unix:///run/vault.sock", "ftp://a", "nonsense", "http://"] {
        let config = Config { address: address.to_owned(), ..Config::default() };
        assert!(matches!(Client::new(config, &NoFiles), Err(Error::Config(_))), "{address}");
    }
}

#[test]
fn a_redirect_never_leaves_tls() {
    let from = Url::parse("https://a/v1/x").unwrap();
    let to = |location| redirect_target(&from, Some(&HeaderValue::from_static(location)));
    assert!(to("http://a/v1/x").is_err() && to("file:///etc/passwd").is_err());
    assert_eq!(to("/v1/y").unwrap().as_str(), "https://a/v1/y");
}
