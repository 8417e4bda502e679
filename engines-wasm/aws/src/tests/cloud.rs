//! An AWS of a few lines: answers by operation as the test wrote them down, and remembers what was asked.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use engine_sdk::testing::FakeHost;
use engine_sdk::types::{Endpoint, Target};

/// One answer: a status, and what stands inside of the response.
#[derive(Clone)]
pub(super) struct Answer {
    status: u16,
    body: String,
    /// What the cloud takes for now, as a header.
    date: Option<String>,
}

impl Answer {
    /// The same from a cloud with another clock.
    pub(super) fn dated(self, date: &str) -> Self {
        Self { date: Some(date.to_owned()), ..self }
    }
}

#[derive(Default)]
struct State {
    /// Operation → what it is answered, in order; the last one for ever.
    script: Vec<(String, VecDeque<Answer>)>,
    asked: Vec<String>,
    /// For when requests were signed, by operation.
    signed: Vec<(String, String)>,
}

/// The server.
pub(super) struct Cloud {
    state: Arc<Mutex<State>>,
    url: String,
}

/// A good answer with this result.
pub(super) fn good(result: &str) -> Answer {
    Answer { status: 200, body: result.to_owned(), date: None }
}

/// A refusal.
pub(super) fn bad(status: u16, code: &str, message: &str) -> Answer {
    let body = format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>");
    Answer { status, body, date: None }
}

/// A connection that is cut.
pub(super) fn cut() -> Answer {
    Answer { status: 0, body: String::new(), date: None }
}

impl Cloud {
    /// Starts it on a free port. What is not written down is answered well, and without content.
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &shared);
            }
        });
        Self { state, url }
    }

    /// What an operation is answered, one after the other; the last answer stays.
    pub(super) fn on(&self, operation: &str, answers: &[Answer]) {
        let mut state = self.state.lock().unwrap();
        state.script.retain(|(name, _)| name != operation);
        state.script.push((operation.to_owned(), answers.iter().cloned().collect()));
    }

    /// The operations since the last look, in order.
    pub(super) fn operations(&self) -> Vec<String> {
        let asked = std::mem::take(&mut self.state.lock().unwrap().asked);
        asked.iter().map(|body| field(body, "Action").to_owned()).collect()
    }

    /// The bodies of the last requests of this operation.
    pub(super) fn asked(&self, operation: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.asked.iter().filter(|body| field(body, "Action") == operation).cloned().collect()
    }

    /// For when the requests of this operation were signed.
    pub(super) fn signed(&self, operation: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.signed.iter().filter(|(name, _)| name == operation).map(|(_, date)| date.clone()).collect()
    }

    /// A host with this backend.
    pub(super) fn host(&self) -> FakeHost {
        let host = FakeHost::default();
        let endpoint = |field: &str| Endpoint { field: field.to_owned(), url: self.url.clone() };
        host.set_target(Some(Target {
            generation: 1,
            host: "127.0.0.1".to_owned(),
            port: 1,
            location: self.url.clone(),
            endpoints: vec![endpoint("iam_endpoint"), endpoint("sts_endpoint")],
        }));
        host
    }
}

/// A field of a form.
fn field<'a>(body: &'a str, name: &str) -> &'a str {
    body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let (signed, body) = request(&mut stream);
    let operation = field(&body, "Action").to_owned();
    let answer = {
        let mut state = state.lock().unwrap();
        state.asked.push(body);
        state.signed.push((operation.clone(), signed));
        let answers = state.script.iter_mut().find(|(name, _)| *name == operation).map(|(_, answers)| answers);
        match answers {
            Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
            Some(answers) => answers[0].clone(),
            None => good(""),
        }
    };
    let body = match answer.status {
        0 => return,
        200 => {
            format!("<{operation}Response><{operation}Result>{}</{operation}Result></{operation}Response>", answer.body)
        }
        _ => answer.body,
    };
    let date = answer.date.map(|date| format!("date: {date}\r\n")).unwrap_or_default();
    let _ = write!(
        stream,
        "HTTP/1.1 {} x\r\n{date}content-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        answer.status,
        body.len()
    );
}

/// For when the request was signed, and its body.
fn request(stream: &mut TcpStream) -> (String, String) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
            if body.len() >= length.parse().unwrap() || read == 0 {
                let signed = head.lines().find_map(|line| line.strip_prefix("x-amz-date: ")).unwrap_or_default();
                return (signed.to_owned(), body.to_owned());
            }
        } else if read == 0 {
            return (String::new(), String::new());
        }
    }
}
