//! A server that answers from a list of routes and keeps what it was sent, and a run of the command line against it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use cofferdam_cli::{Inspector, Io};
use cofferdam_model::review::Inspection;
use serde_json::Value;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Method and address, such as `GET /v1/a?list=true`.
    pub(crate) line: String,
    /// The headers, names in small letters.
    pub(crate) headers: HashMap<String, String>,
    /// The body, null where there is none.
    pub(crate) body: Value,
}

/// A server and a home of its own.
pub(crate) struct World {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    home: tempfile::TempDir,
    env: HashMap<String, String>,
}

/// Says what it was given.
struct Told;

impl Inspector for Told {
    fn inspect(&self, component: &[u8], policy: Option<&str>) -> Result<Inspection, String> {
        let policy = match policy {
            Some("bad") => return Err("the policy cannot be used".to_owned()),
            Some(policy) => vec![policy.to_owned()],
            None => Vec::new(),
        };
        Ok(Inspection {
            digest: String::from_utf8_lossy(component).into_owned(),
            size: component.len(),
            imports: vec!["wasi:io/poll@0.2.0".to_owned()],
            refused: policy,
            ..Inspection::default()
        })
    }
}

/// How a run ended.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// A server with these routes: line, status, body. A line that is not listed is answered with 404.
    pub(crate) fn new(routes: &[(&str, u16, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let routes: HashMap<String, (u16, String)> =
            routes.iter().map(|(line, status, body)| ((*line).to_owned(), (*status, (*body).to_owned()))).collect();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &routes, &log);
            }
        });
        let home = tempfile::tempdir().unwrap();
        let env = HashMap::from([
            ("HOME".to_owned(), home.path().to_str().unwrap().to_owned()),
            ("VAULT_ADDR".to_owned(), address.clone()),
        ]);
        Self { address, seen, home, env }
    }

    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A file in the home, with these contents; its whole name.
    pub(crate) fn file(&self, name: &str, contents: &str) -> PathBuf {
        let file = self.home.path().join(name);
        self.home_dir().write(name, contents).unwrap();
        file
    }

    /// The home's files.
    pub(crate) fn home_dir(&self) -> cap_std::fs::Dir {
        cap_std::fs::Dir::open_ambient_dir(self.home.path(), cap_std::ambient_authority()).unwrap()
    }

    /// Runs words separated by blanks.
    pub(crate) fn run(&self, line: &str) -> Ended {
        self.run_with(line, "")
    }

    /// Runs with something on stdin.
    pub(crate) fn run_with(&self, line: &str, stdin: &str) -> Ended {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (mut stdin, mut stdout, mut stderr) = (stdin.as_bytes(), Vec::new(), Vec::new());
        let mut io = Io { stdin: &mut stdin, stdout: &mut stdout, stderr: &mut stderr, stdout_is_terminal: false };
        let code = cofferdam_cli::run(&args, &self.env, &Told, &mut io);
        // What differs between runs of a test.
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&self.address, "http://server");
        Ended { code, out: text(stdout), err: text(stderr) }
    }

    /// Everything that was sent so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Seen {
        self.seen().pop().unwrap()
    }
}

/// Expects a good end with this output.
#[track_caller]
pub(crate) fn prints(ended: Ended, out: &str) {
    assert_eq!(ended, Ended { code: 0, out: out.to_owned(), err: String::new() });
}

fn answer(mut stream: TcpStream, routes: &HashMap<String, (u16, String)>, log: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let line = first.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |l| l.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    let (status, text) = routes.get(&line).cloned().unwrap_or((404, r#"{"errors":[]}"#.to_owned()));
    log.lock().unwrap().push(Seen { line, headers, body });
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
}
