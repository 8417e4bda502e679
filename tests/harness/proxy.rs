//! A wire between the server and its database that a test can cut, at any byte of the conversation.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::postgres::Postgres;
use crate::wait::PATIENCE;

/// A relay on a port of its own. What passes it must not be encrypted.
pub struct Proxy {
    port: u16,
    state: Arc<Shared>,
}

/// What becomes of the database's answer to the statement that a test waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It never arrives: the connection ends instead.
    Lost,
    /// It is kept until [`Proxy::release`].
    Held,
}

#[derive(Default)]
struct State {
    target: u16,
    down: bool,
    /// Connections that were asked for while it was.
    refused: usize,
    wanted: Option<(String, Answer)>,
    /// The database has answered the statement.
    answered: bool,
    released: bool,
    streams: Vec<TcpStream>,
    /// The test is over.
    over: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Proxy {
    /// A relay to a cluster.
    pub fn new(cluster: &Postgres) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Shared::default());
        state.lock().target = cluster.port();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.lock().over {
                    return;
                }
                // Nobody there, or just cut: the caller sees its connection end.
                let _ = shared.connect(stream);
            }
        });
        Self { port, state }
    }

    /// A connection URL through this relay, with placeholders for name and password.
    pub fn url(&self) -> String {
        format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Aims it at another cluster: for new connections, and the old ones end.
    pub fn aim(&self, cluster: &Postgres) {
        self.state.lock().target = cluster.port();
        self.end_all();
    }

    /// Ends all connections, and every new one at once, until [`Proxy::mend`].
    pub fn cut(&self) {
        {
            let mut state = self.state.lock();
            (state.down, state.refused) = (true, 0);
        }
        self.end_all();
    }

    /// Connections are possible again.
    pub fn mend(&self) {
        self.state.lock().down = false;
    }

    /// How many connections were asked for since it was cut.
    pub fn refused(&self) -> usize {
        self.state.lock().refused
    }

    /// Deals with the answer to the next statement that contains this text.
    pub fn on(&self, text: &str, answer: Answer) {
        let mut state = self.state.lock();
        (state.wanted, state.answered, state.released) = (Some((text.to_owned(), answer)), false, false);
    }

    /// Waits until the database has answered that statement.
    #[track_caller]
    pub fn wait_for_answer(&self) {
        let state = self.state.lock();
        let (_state, waited) = self
            .state
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !state.answered)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "the database was not asked, or did not answer");
    }

    /// Hands over the answer that is held.
    pub fn release(&self) {
        self.state.lock().released = true;
        self.state.changed.notify_all();
    }

    fn end_all(&self) {
        for stream in self.state.lock().streams.drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        {
            let mut state = self.state.lock();
            (state.over, state.released) = (true, true);
        }
        self.state.changed.notify_all();
        self.end_all();
        // Wakes whoever accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(self: &Arc<Self>, near: TcpStream) -> std::io::Result<()> {
        let mut state = self.lock();
        if state.down {
            state.refused += 1;
            return near.shutdown(Shutdown::Both);
        }
        let far = TcpStream::connect(("127.0.0.1", state.target))?;
        state.streams.extend([near.try_clone()?, far.try_clone()?]);
        drop(state);
        let chosen: Arc<Mutex<Option<Answer>>> = Arc::default();
        let (shared, choice) = (Arc::clone(self), Arc::clone(&chosen));
        let (from, to) = (near.try_clone()?, far.try_clone()?);
        thread::spawn(move || {
            pass(from, to, |bytes| {
                if let Some(answer) = shared.asked(bytes) {
                    *choice.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
                }
                true
            });
        });
        let shared = Arc::clone(self);
        thread::spawn(move || {
            pass(far, near, |_| {
                let answer = chosen.lock().unwrap_or_else(PoisonError::into_inner).take();
                answer.is_none_or(|answer| shared.answered(answer))
            });
        });
        Ok(())
    }

    /// What is to become of the answer, if these bytes are the statement that a test waits for.
    fn asked(&self, bytes: &[u8]) -> Option<Answer> {
        let wanted = &mut self.lock().wanted;
        let here = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if wanted.as_ref().is_some_and(|(text, _)| here(text)) { wanted.take().map(|(_, answer)| answer) } else { None }
    }

    /// The answer to that statement is here. Whether it goes on, once it may.
    fn answered(&self, answer: Answer) -> bool {
        let mut state = self.lock();
        state.answered = true;
        self.changed.notify_all();
        if answer == Answer::Held {
            state = self.changed.wait_while(state, |state| !state.released).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        answer == Answer::Held
    }
}

/// Passes bytes on for as long as `goes_on` says so.
fn pass(mut from: TcpStream, mut to: TcpStream, mut goes_on: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !goes_on(&buffer[..read]) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Either side may be gone already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
