//! One connection, request after request: an answer says whether another request may follow it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::common::shared;

/// A connection that stays open for as long as the server lets it.
struct Kept(BufReader<TcpStream>);

impl Kept {
    fn open() -> Self {
        let stream = TcpStream::connect(shared().base().trim_start_matches("http://")).unwrap();
        // Each write leaves as it is: a body arrives after its head.
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn head(&mut self, line: &str, headers: &str) {
        let token = shared().token();
        self.say(&format!("{line} HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {token}\r\n{headers}\r\n"));
    }

    /// The next answer: its status, and whether it says that it is the last one here.
    #[track_caller]
    fn answer(&mut self) -> (u16, bool) {
        let (mut status, mut length, mut last, mut line) = (0, 0, false, String::new());
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "closed without an answer");
            let said = line.trim_end().to_ascii_lowercase();
            match said.split_once(": ") {
                None if said.is_empty() => break,
                None => status = said.split(' ').nth(1).unwrap().parse().unwrap(),
                Some(("content-length", bytes)) => length = bytes.parse().unwrap(),
                Some(("connection", how)) => last = how == "close",
                Some(_) => {}
            }
        }
        self.0.read_exact(&mut vec![0; length]).unwrap();
        (status, last)
    }

    #[track_caller]
    fn is_closed(&mut self) {
        assert!(matches!(self.0.read(&mut [0]), Ok(0) | Err(_)), "it goes on");
    }
}

#[test]
fn a_refusal_with_a_small_body_leaves_its_connection_open() {
    let mut kept = Kept::open();
    let body = format!(r#"{{"a":"{}"}}"#, "x".repeat(20_000));
    let headers = format!("Content-Length: {}\r\n", body.len());
    for (line, more, want) in [
        ("POST /v1/sys/", "", 400),
        ("POST /elsewhere", "", 404),
        ("POST /v1/sys//mounts", "", 307),
        ("PUT /v1/sys/%01", "", 400),
        ("BREW /v1/sys/mounts", "", 405),
        ("PATCH /v1/sys/mounts", "", 400),
        ("PATCH /v1/sys/mounts", "Content-Type: text/plain\r\n", 415),
        ("POST /v1/sys/mounts", "X-Vault-Namespace: other\r\n", 404),
        ("POST /v1/sys/mounts", "X-Vault-Wrap-TTL: soon\r\n", 400),
        // These verbs take no body, and are answered without it.
        ("GET /v1/sys/mounts", "", 200),
        ("DELETE /v1/sys/policies/acl/nobody", "", 204),
    ] {
        for _ in 0..5 {
            kept.head(line, &format!("{headers}{more}"));
            kept.say(&body);
            assert_eq!(kept.answer(), (want, false), "{line} {more}");
        }
        kept.head(line, &format!("Transfer-Encoding: chunked\r\n{more}"));
        kept.say("3\r\n{  \r\n");
        kept.say("1\r\n}\r\n0\r\n\r\n");
        assert_eq!(kept.answer(), (want, false), "{line} {more} in chunks");
    }
    kept.head("GET /v1/sys/health", "");
    assert_eq!(kept.answer(), (200, false));
}

#[test]
fn an_answer_that_leaves_a_body_unread_says_that_it_is_the_last() {
    for (line, headers, body, want) in [
        // More than anybody reads for nothing; more than the server takes; a client that waits to be asked.
        ("POST /v1/sys/", "Content-Length: 20000000\r\n", "{", 400),
        ("GET /v1/sys/health", "Content-Length: 20000000\r\n", "{", 200),
        ("POST /v1/sys/mounts", "Content-Length: 999999999\r\n", "{", 413),
        ("POST /v1/sys/", "Content-Length: 9\r\nExpect: 100-continue\r\n", "", 400),
        ("POST /v1/sys/", "Transfer-Encoding: chunked\r\n", "ffffff\r\n{", 400),
    ] {
        let mut kept = Kept::open();
        kept.head(line, headers);
        kept.say(body);
        assert_eq!(kept.answer(), (want, true), "{line} {headers}");
        kept.is_closed();
    }
}
