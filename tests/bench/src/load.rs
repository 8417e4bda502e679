//! A load generator that costs little beside a server on the same cores: one thread, prepared requests, and answers that
//! are read to their end and not parsed further.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

/// How long connections run before they count.
const WARM_UP: Duration = Duration::from_millis(100);

/// Writes the request of this client with this number into the buffer.
pub(crate) type Request = Rc<dyn Fn(usize, u64, &mut Vec<u8>)>;

/// Requests of one kind over so many connections.
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) clients: usize,
    pub(crate) request: Request,
}

/// What a load measured.
pub(crate) struct Sample {
    seconds: f64,
    /// Microseconds, sorted.
    latencies: Vec<u32>,
}

impl Sample {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    /// Milliseconds within which 99 of 100 answers came.
    pub(crate) fn p99(&self) -> f64 {
        let at = self.latencies.len() * 99 / 100;
        self.latencies.get(at).map_or(f64::INFINITY, |&micros| f64::from(micros) / 1_000.0)
    }
}

/// A request without a body that never changes.
pub(crate) fn get(path: &str, token: &str) -> Request {
    let text = format!("GET /v1/{path} HTTP/1.1\r\nhost: bench\r\nx-vault-token: {token}\r\n\r\n");
    Rc::new(move |_, _, out| out.extend_from_slice(text.as_bytes()))
}

/// A request with a JSON body.
pub(crate) fn post(path: &str, token: &str, body: &str, out: &mut Vec<u8>) {
    let length = body.len();
    let head = format!(
        "POST /v1/{path} HTTP/1.1\r\nhost: bench\r\nx-vault-token: {token}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body.as_bytes());
}

impl Load {
    /// Runs for this long.
    ///
    /// # Panics
    /// Where an answer is not a success: a bench of refusals measures nothing.
    pub(crate) fn run(&self, time: Duration) -> Sample {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let local = LocalSet::new();
        runtime.block_on(local.run_until(async {
            let begin = Instant::now() + WARM_UP;
            let end = begin + time;
            let clients: Vec<_> = (0..self.clients)
                .map(|client| {
                    tokio::task::spawn_local(converse(self.address, client, Rc::clone(&self.request), begin, end))
                })
                .collect();
            let mut latencies = Vec::new();
            for client in clients {
                latencies.append(&mut client.await.expect("a client of the load"));
            }
            latencies.sort_unstable();
            Sample { seconds: time.as_secs_f64(), latencies }
        }))
    }
}

/// One client: the latencies of what was answered between `begin` and `end`.
async fn converse(address: SocketAddr, client: usize, request: Request, begin: Instant, end: Instant) -> Vec<u32> {
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    stream.set_nodelay(true).expect("a socket without delay");
    let mut latencies = Vec::new();
    let (mut out, mut answer) = (Vec::with_capacity(1024), Vec::with_capacity(4096));
    for number in 0.. {
        out.clear();
        request(client, number, &mut out);
        let asked = Instant::now();
        stream.write_all(&out).await.expect("a request is sent");
        read(&mut stream, &mut answer).await;
        let answered = Instant::now();
        if answered >= end {
            break;
        }
        if answered >= begin {
            latencies.push(u32::try_from((answered - asked).as_micros()).unwrap_or(u32::MAX));
        }
    }
    latencies
}

/// Reads one answer to its end.
async fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    let mut whole = None;
    while whole.is_none_or(|length| answer.len() < length) {
        let more = stream.read_buf(answer).await.expect("an answer");
        assert!(more > 0, "the server hung up");
        whole = whole.or_else(|| length(answer));
    }
    assert!(answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(answer));
}

/// The length of the whole answer, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).expect("a head is text");
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().expect("a length"))
    });
    Some(head + body.unwrap_or(0))
}
