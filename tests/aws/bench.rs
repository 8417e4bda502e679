//! What the compartment costs: users made through the server, and the same calls by the SDK alone. A measurement, not
//! a test: nothing is asserted of time.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Instant;

use harness::{Moto, checkout};
use serde_json::json;

use crate::common::{AwsMount, POLICY, server};

const THREADS: usize = 4;
const USERS: usize = 200;

#[test]
#[ignore = "a measurement: run it alone, on a machine that does nothing else"]
fn users_in_a_second() {
    let moto = Moto::start();
    let canned = canned();
    for (name, url) in [("moto", moto.url()), ("canned answers", canned)] {
        let mount = AwsMount::new(&server().api(), &format!("bench-{}", &name[..4]), &url);
        mount.role("app", json!({ "credential_type": "iam_user", "policy_document": POLICY }));
        // Each once before, so that nobody pays for what is done once.
        by_all(THREADS, || drop(mount.credential("app")));
        raw(&url, THREADS);
        by_all(THREADS, || drop(mount.api.child(&["default"], json!({}))));
        let (ours, theirs) = (by_all(USERS, || drop(mount.credential("app"))), raw(&url, USERS));
        let rows = by_all(USERS, || drop(mount.api.child(&["default"], json!({}))));
        let rate = |seconds: f64| f64::from(u16::try_from(USERS).unwrap()) / seconds;
        let each = |seconds: f64| 1_000.0 * seconds / f64::from(u16::try_from(USERS / THREADS).unwrap());
        println!("{name}, {THREADS} clients at once, both over connections that are kept:");
        println!("  {:7.2} ms for a user by the SDK alone, natively ({:.1} users/s)", each(theirs), rate(theirs));
        println!("  {:7.2} ms for a user through the server ({:.1} users/s)", each(ours), rate(ours));
        println!("  {:7.2} ms for a token: HTTP, a policy and one commit, without a compartment", each(rows));
        println!(
            "  ratio {:.2}; {:.2} ms more for each: {:.2} ms are a request and the ledger's two commits (two tokens), the \
             rest is the compartment's: two calls, its SDK and the gate",
            theirs / ours,
            each(ours) - each(theirs),
            2.0 * each(rows),
        );
    }
}

/// Seconds for so many of something, by several clients at once.
fn by_all(count: usize, one: impl Fn() + Sync) -> f64 {
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..count / THREADS).for_each(|_| one()));
        }
    });
    begun.elapsed().as_secs_f64()
}

/// Seconds for so many users by `engines-wasm/aws/examples/raw.rs`, compiled as well as can be.
fn raw(url: &str, users: usize) -> f64 {
    let said = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--quiet", "--release", "--package", "engine-aws", "--example", "raw", "--", url])
        .args([THREADS.to_string(), users.to_string()])
        .current_dir(checkout())
        .output()
        .expect("cargo runs");
    let text = String::from_utf8_lossy(&said.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&said.stderr)))
}

/// A cloud that answers at once and remembers nothing. Its URL.
fn canned() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A client that goes away is no trouble of ours.
            thread::spawn(move || answer(client));
        }
    });
    url
}

fn answer(mut client: TcpStream) -> std::io::Result<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let read = client.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.and_then(|length| length.parse().ok()).unwrap_or(0) {
            continue;
        }
        let operation = body.split("Action=").nth(1).unwrap_or_default().split('&').next().unwrap_or_default();
        let last = head.contains("connection: close");
        let result = match operation {
            "CreateUser" => {
                "<User><Path>/</Path><UserName>u</UserName><UserId>AIDA</UserId>\
                 <Arn>arn:aws:iam::123456789012:user/u</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></User>"
            }
            "CreateAccessKey" => {
                "<AccessKey><UserName>u</UserName><AccessKeyId>AKIACANNED</AccessKeyId><Status>Active</Status>\
                 <SecretAccessKey>canned</SecretAccessKey></AccessKey>"
            }
            _ => "",
        };
        let body =
            format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>");
        // In one piece, or the client's kernel waits for the rest of it.
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}", body.len());
        client.write_all(format!("{head}\r\n\r\n{body}").as_bytes())?;
        if last {
            return Ok(());
        }
        request.clear();
    }
}
