//! The binary as operators run it: a process, its output, its signals and its files.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A running server; killed with the test.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// What it had printed when it was ready.
    printed: String,
    /// host:port
    address: String,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cofferdam"));
    command.arg("server").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["VAULT_DEV_ROOT_TOKEN_ID", "VAULT_DEV_LISTEN_ADDRESS", "VAULT_API_ADDR"] {
        command.env_remove(name);
    }
    command
}

/// Starts a server and waits until it says where it listens.
fn start(args: &[&str], home: &Path) -> Server {
    let mut child = command(args).stderr(Stdio::inherit()).env("HOME", home).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    let address = loop {
        let before = printed.len();
        assert_ne!(stdout.read_line(&mut printed).unwrap(), 0, "it ended early: {printed}");
        if let Some(url) = printed[before..].strip_prefix("api address: ") {
            break url.trim().trim_start_matches("http://").to_owned();
        }
    };
    Server { child, stdout, printed, address }
}

impl Server {
    fn line(&self, start: &str) -> Option<String> {
        self.printed.lines().find_map(|l| l.strip_prefix(start)).map(str::to_owned)
    }

    /// Status and body.
    fn ask(&self, verb: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{verb} /v1/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Vault-Token: {token}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() })
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Tells it to stop; returns the exit code and what it printed after it was ready.
    fn stop(mut self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn home() -> (tempfile::TempDir, Dir) {
    let home = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(home.path(), ambient_authority()).unwrap();
    (home, dir)
}

#[test]
fn a_development_server_is_ready_at_once() {
    let (home, files) = home();
    let server = start(&["-dev", "-dev-root-token-id=root", "-dev-listen-address=127.0.0.1:0"], home.path());
    assert!(server.printed.contains("==> Cofferdam server started!"), "{}", server.printed);
    assert_eq!(server.line("Root Token: ").as_deref(), Some("root"));
    assert!(server.line("Unseal Key: ").is_some_and(|key| key.len() == 44));
    assert_eq!(files.read_to_string(".vault-token").unwrap(), "root");

    let (status, health) = server.ask("GET", "sys/health", "", &Value::Null);
    assert_eq!((status, &health["sealed"]), (200, &json!(false)));
    assert_eq!(server.ask("POST", "secret/data/a", "root", &json!({"data": {"v": 1}})).0, 200);
    let (status, read) = server.ask("GET", "secret/data/a", "root", &Value::Null);
    assert_eq!((status, &read["data"]["data"]), (200, &json!({"v": 1})));
    assert_eq!(server.ask("GET", "secret/data/a", "other", &Value::Null).0, 403);

    server.signal(Signal::HUP);
    server.signal(Signal::USR2);
    assert_eq!(server.ask("GET", "sys/health", "", &Value::Null).0, 200, "still there");
    let (code, rest) = server.stop();
    assert_eq!(code, Some(0));
    assert!(rest.contains("shutdown"), "{rest}");
}

#[test]
fn a_development_server_can_keep_its_data() {
    let (home, files) = home();
    let data = format!("-dev-path={}", home.path().join("data").display());
    let args = ["-dev", "-dev-listen-address=127.0.0.1:0", "-dev-no-store-token", &data];
    let server = start(&args, home.path());
    let token = server.line("Root Token: ").unwrap();
    assert_eq!(server.ask("POST", "secret/data/a", &token, &json!({"data": {"v": 1}})).0, 200);
    assert_eq!(server.stop().0, Some(0));
    assert!(!files.exists(".vault-token"));

    let server = start(&args, home.path());
    assert_eq!(server.line("Root Token: "), Some(token.clone()));
    assert_eq!(server.ask("GET", "secret/data/a", &token, &Value::Null).1["data"]["data"], json!({"v": 1}));
    assert_eq!(server.stop().0, Some(0));

    let other = [&args[..], &["-dev-root-token-id=other"]].concat();
    let ended = command(&other).env("HOME", home.path()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("another root token"));
}

#[test]
fn a_server_starts_sealed_and_stays_initialised() {
    let (home, files) = home();
    let data = home.path().join("data");
    files
        .write(
            "server.hcl",
            format!(
                "storage \"file\" {{ path = {data:?} }}\nlistener \"tcp\" {{ address = \"127.0.0.1:0\" tls_disable = true }}\n\
                 disable_mlock = true\npid_file = {:?}\n",
                home.path().join("pid")
            ),
        )
        .unwrap();
    let config = format!("-config={}", home.path().join("server.hcl").display());

    let server = start(&[&config], home.path());
    assert!(server.printed.contains("SQLite"), "{}", server.printed);
    assert_eq!(files.read_to_string("pid").unwrap(), server.child.id().to_string());
    assert_eq!(server.ask("GET", "sys/health", "", &Value::Null).0, 501);
    let (status, made) = server.ask("PUT", "sys/init", "", &json!({"secret_shares": 1, "secret_threshold": 1}));
    assert_eq!(status, 200, "{made}");
    assert_eq!(server.ask("GET", "sys/health", "", &Value::Null).0, 503);
    let unseal = json!({"key": made["keys_base64"][0]});
    assert_eq!(server.ask("PUT", "sys/unseal", "", &unseal).1["sealed"], json!(false));
    let token = made["root_token"].as_str().unwrap();
    assert_eq!(server.ask("POST", "sys/mounts/kv", token, &json!({"type": "kv"})).0, 204);
    assert_eq!(server.ask("POST", "kv/a", token, &json!({"v": 1})).0, 204);
    assert_eq!(server.stop().0, Some(0));
    assert!(!files.exists("pid"));

    let server = start(&[&config], home.path());
    assert_eq!(server.ask("GET", "sys/health", "", &Value::Null).0, 503);
    assert_eq!(server.ask("GET", "kv/a", token, &Value::Null).0, 503);
    assert_eq!(server.ask("PUT", "sys/unseal", "", &unseal).1["sealed"], json!(false));
    assert_eq!(server.ask("GET", "kv/a", token, &Value::Null).1["data"], json!({"v": 1}));
}

#[test]
fn what_cannot_start_says_why() {
    let (home, files) = home();
    let path = home.path().join("bad.hcl").display().to_string();
    let config = format!("-config={path}");
    for (text, want) in [
        ("storage \"consul\" {}", "consul"),
        ("listener \"tcp\" {", "line "),
        (
            "storage \"inmem\" {}\nlistener \"tcp\" { tls_cert_file = \"/no/cert\" tls_key_file = \"/no/key\" }",
            "/no/cert",
        ),
    ] {
        files.write("bad.hcl", text).unwrap();
        let ended = command(&[&config]).output().unwrap();
        let message = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{text}");
        assert!(message.contains(want), "{text}: {message}");
    }
    for (args, want) in [(&["-devv"][..], "flag provided but not defined: -devv"), (&[], "-config")] {
        let ended = command(args).output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        assert!(String::from_utf8(ended.stderr).unwrap().contains(want), "{args:?}");
    }
    assert_eq!(command(&["-help"]).output().unwrap().status.code(), Some(0));
}
