//! A web server that is as good or as bad as the path asks it to be, and remembers its visitors.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A site on a port of its own, for as long as the tests run.
#[derive(Clone)]
pub(crate) struct Site {
    port: u16,
    visits: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Site {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let site = Self { port, visits: Arc::default(), open: Arc::default(), heads: Arc::default() };
        let at = site.clone();
        thread::spawn(move || {
            for visitor in listener.incoming() {
                let (visitor, at) = (visitor.unwrap(), at.clone());
                at.visits.fetch_add(1, Ordering::SeqCst);
                at.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    // A visitor that goes away is no failure of the site's.
                    let _ = at.serve(visitor);
                    at.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        site
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority())
    }

    /// Connections so far.
    pub(crate) fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub(crate) fn open_now(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// The heads of all requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    fn serve(&self, visitor: TcpStream) -> std::io::Result<()> {
        let mut answer = visitor.try_clone()?;
        let mut reader = BufReader::new(visitor);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let has_body = head.contains("transfer-encoding") || head.starts_with("POST");
            self.heads.lock().unwrap().push(head);
            if has_body {
                std::io::copy(&mut reader.by_ref().take(200 << 20), &mut std::io::sink())?;
                return Ok(());
            }
            if !answer_to(&path, &mut answer)? {
                // Nothing more is said; the visitor ends it.
                reader.read_line(&mut String::new())?;
                return Ok(());
            }
        }
    }
}

/// False: the connection is of no more use.
fn answer_to(path: &str, to: &mut TcpStream) -> std::io::Result<bool> {
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    if let Some(port) = path.strip_prefix("/redirect/") {
        let location = format!("location: http://127.0.0.1:{port}/");
        write!(to, "HTTP/1.1 302 Found\r\n{location}\r\ncontent-length: 0\r\n\r\n")?;
        return Ok(true);
    }
    match path {
        "/endless" => {
            to.write_all(CHUNKED)?;
            let part = [&b"1000\r\n"[..], &[b'x'; 4096], b"\r\n"].concat();
            loop {
                to.write_all(&part)?;
            }
        }
        "/drops" => {
            to.write_all(CHUNKED)?;
            loop {
                to.write_all(b"1\r\nx\r\n")?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        "/headers" => {
            to.write_all(b"HTTP/1.1 200 OK\r\n")?;
            for i in 0..20_000 {
                write!(to, "x-{i}: y\r\n")?;
            }
            to.write_all(b"content-length: 0\r\n\r\n")?;
        }
        "/silent" => return Ok(false),
        "/stuck" => {
            to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel")?;
            return Ok(false);
        }
        _ => to.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")?,
    }
    Ok(true)
}
