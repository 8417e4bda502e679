//! Stands before the cloud and breaks what a test says: one request at a time, by operation.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What happens to a request.
#[derive(Clone)]
pub(crate) enum Fault {
    /// The cloud never sees it; this is the answer.
    Answer(u16, &'static str),
    /// The connection is cut before the cloud sees it.
    CutBefore,
    /// The cloud does it, and its answer is cut off.
    CutAfter,
    /// Nobody answers, until the client goes.
    Hang,
    /// The cloud does it, and nobody answers, until the client goes.
    HangAfter,
    /// The cloud does it, and its answer waits until the test says `go_on`.
    HoldAfter,
    /// The connection is cut, and the cloud sees the request when the test says `go_on`.
    Late,
}

#[derive(Default)]
struct State {
    /// Operation, what happens to it, and how often.
    script: Vec<(String, Fault, usize)>,
    seen: Vec<String>,
    /// How often the test said `go_on`.
    gone_on: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    told: Condvar,
}

impl Shared {
    /// Until the test says `go_on` once more.
    fn wait(&self) -> Option<()> {
        let state = self.state.lock().ok()?;
        let then = state.gone_on;
        self.told.wait_while(state, |state| state.gone_on == then).ok().map(drop)
    }
}

/// The proxy.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    port: u16,
}

impl Proxy {
    /// Starts it before the cloud at this port.
    pub(crate) fn start(cloud: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let all = Arc::new(Shared::default());
        let shared = Arc::clone(&all);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // A connection that breaks is what tests ask for.
                thread::spawn(move || serve(stream, cloud, &shared));
            }
        });
        Self { shared: all, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What happens to the next `times` requests of an operation.
    pub(crate) fn on(&self, operation: &str, fault: Fault, times: usize) {
        self.shared.state.lock().expect("the state").script.push((operation.to_owned(), fault, times));
    }

    /// Everything goes through again.
    pub(crate) fn heal(&self) {
        self.shared.state.lock().expect("the state").script.clear();
    }

    /// Whatever waits for it goes on.
    pub(crate) fn go_on(&self) {
        self.shared.state.lock().expect("the state").gone_on += 1;
        self.shared.told.notify_all();
    }

    /// How often an operation was asked for since the last question.
    pub(crate) fn count(&self, operation: &str) -> usize {
        let mut state = self.shared.state.lock().expect("the state");
        let count = state.seen.iter().filter(|seen| *seen == operation).count();
        state.seen.retain(|seen| seen != operation);
        count
    }
}

fn serve(mut client: TcpStream, cloud: u16, shared: &Shared) -> Option<()> {
    let request = read_request(&mut client)?;
    let fault = {
        let mut state = shared.state.lock().ok()?;
        let text = String::from_utf8_lossy(&request).into_owned();
        let operation = text.split("Action=").nth(1)?.split('&').next()?.to_owned();
        let due = state.script.iter_mut().find(|(name, _, times)| *name == operation && *times > 0);
        let fault = due.map(|(_, fault, times)| {
            *times -= 1;
            fault.clone()
        });
        state.seen.push(operation);
        fault
    };
    match fault {
        Some(Fault::CutBefore) => return Some(()),
        Some(Fault::Hang) => {
            let mut rest = [0];
            let _ = client.read(&mut rest);
            return Some(());
        }
        Some(Fault::Answer(status, code)) => {
            let body =
                format!("<ErrorResponse><Error><Code>{code}</Code><Message>a fault</Message></Error></ErrorResponse>");
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Fault\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\n");
            client.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).ok()?;
            return Some(());
        }
        Some(Fault::Late) => {
            client.shutdown(std::net::Shutdown::Both).ok()?;
            shared.wait()?;
        }
        Some(Fault::CutAfter | Fault::HangAfter | Fault::HoldAfter) | None => {}
    }
    let mut upstream = TcpStream::connect(("127.0.0.1", cloud)).ok()?;
    upstream.write_all(&closing(&request)).ok()?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).ok()?;
    match fault {
        Some(Fault::HangAfter) => {
            let _ = client.read(&mut [0]);
            Some(())
        }
        Some(Fault::HoldAfter) => {
            shared.wait()?;
            client.write_all(&answer).ok()
        }
        // Some of it arrives, where there is somebody left.
        Some(_) => client.write_all(answer.get(..20)?).ok(),
        None => client.write_all(&answer).ok(),
    }
}

/// The same request on a connection that is used once.
fn closing(request: &[u8]) -> Vec<u8> {
    let end = request.windows(2).position(|pair| pair == b"\r\n").map_or(0, |at| at + 2);
    let (line, rest) = request.split_at(end);
    [line, b"connection: close\r\n", rest].concat()
}

fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = client.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(buffer.get(..read)?);
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().filter_map(|line| line.split_once(':'));
            let mut length =
                length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value);
            let length: usize = length.next_back().and_then(|value| value.trim().parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(request);
            }
        }
    }
}
