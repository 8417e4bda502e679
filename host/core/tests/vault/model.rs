//! A backend of a few lines: servers by address, each with one administrator and its users; and the places at which a
//! test holds or breaks a call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use cofferdam_model::engine::{CallError, Cause, Failure};
use cofferdam_model::{Error, SecretText};
use tokio::sync::Semaphore;

/// One server.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) password: String,
    /// It chooses new passwords itself.
    pub(crate) chooses: bool,
    /// Passwords that were retired.
    pub(crate) retired: Vec<String>,
    pub(crate) users: BTreeSet<String>,
    /// Keys of accounts that were there before us, by slot; and how many were made.
    pub(crate) keys: BTreeMap<String, BTreeSet<String>>,
    pub(crate) keys_made: usize,
    /// What stands on users.
    pub(crate) stamps: BTreeMap<String, String>,
    /// How often it was asked for its users, a page at a time.
    pub(crate) browsed: usize,
}

/// What happens at a named place.
#[derive(Clone)]
pub(crate) enum Act {
    /// The engine dies before it did anything there.
    Fault,
    /// The engine says no.
    Fail(Cause),
    /// It waits until the test lets it go on.
    Hold(Hold),
}

/// A place at which a call waits.
#[derive(Clone)]
pub(crate) struct Hold {
    reached: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Hold {
    pub(crate) fn new() -> Self {
        Self { reached: Arc::new(Semaphore::new(0)), go: Arc::new(Semaphore::new(0)) }
    }

    /// Until a call waits here.
    pub(crate) async fn reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }

    /// Lets one call go on.
    pub(crate) fn go(&self) {
        self.go.add_permits(1);
    }

    pub(crate) async fn wait(&self) {
        self.reached.add_permits(1);
        self.go.acquire().await.unwrap().forget();
    }
}

/// All servers, and the script of the test.
#[derive(Default)]
pub(crate) struct Model {
    servers: Mutex<BTreeMap<String, Server>>,
    acts: Mutex<BTreeMap<String, (Act, usize)>>,
    /// Every password that was shown to an address.
    presented: Mutex<Vec<(String, String)>>,
    /// The engine is a build that reads the next format of handles only.
    reads_next: AtomicBool,
    /// Broken promises that an engine was told of: mount, answer.
    blamed: Mutex<Vec<(String, String)>>,
}

impl Model {
    /// A server that knows one password.
    pub(crate) fn serve(&self, address: &str, password: &str) {
        let server = Server { password: password.to_owned(), ..Server::default() };
        self.servers.lock().unwrap().insert(address.to_owned(), server);
    }

    pub(crate) fn blame(&self, mount: &str, answer: &str) {
        self.blamed.lock().unwrap().push((mount.to_owned(), answer.to_owned()));
    }

    /// The broken promise that an engine was told of last.
    pub(crate) fn last_blamed(&self) -> (String, String) {
        self.blamed.lock().unwrap().last().cloned().expect("an engine was blamed")
    }

    pub(crate) fn with<T>(&self, address: &str, look: impl FnOnce(&mut Server) -> T) -> T {
        look(self.servers.lock().unwrap().get_mut(address).expect("the server is there"))
    }

    /// Whether this address ever saw this password.
    pub(crate) fn was_shown(&self, address: &str, password: &str) -> bool {
        self.presented.lock().unwrap().iter().any(|(a, p)| a == address && p == password)
    }

    /// Another build of the engine, or the first one again.
    pub(crate) fn upgrade(&self, reads_next: bool) {
        self.reads_next.store(reads_next, Ordering::SeqCst);
    }

    /// The formats of handles that the engine reads.
    pub(crate) fn reads_formats(&self) -> Vec<u32> {
        vec![if self.reads_next.load(Ordering::SeqCst) { 2 } else { 1 }]
    }

    /// What the next `times` calls do at this place.
    pub(crate) fn script(&self, place: &str, act: Act, times: usize) {
        self.acts.lock().unwrap().insert(place.to_owned(), (act, times));
    }

    /// The next call waits at this place.
    pub(crate) fn hold(&self, place: &str) -> Hold {
        let hold = Hold::new();
        self.script(place, Act::Hold(hold.clone()), 1);
        hold
    }

    pub(crate) fn clear(&self, place: &str) {
        self.acts.lock().unwrap().remove(place);
    }

    /// An engine comes by a place.
    pub(crate) async fn pass(&self, place: &str) -> Result<(), CallError> {
        let act = {
            let mut acts = self.acts.lock().unwrap();
            match acts.get_mut(place) {
                Some((act, times)) if *times > 0 => {
                    *times -= 1;
                    Some(act.clone())
                }
                _ => None,
            }
        };
        match act {
            None => Ok(()),
            Some(Act::Fault) => Err(CallError::Fault(Error::backend(format!("the engine died at {place}")))),
            Some(Act::Fail(cause)) => Err(failure(cause, place)),
            Some(Act::Hold(hold)) => {
                hold.wait().await;
                Ok(())
            }
        }
    }

    /// A login. An address where nobody was set up takes every password and remembers it.
    pub(crate) fn login(&self, address: &str, password: &str) -> Result<(), CallError> {
        self.presented.lock().unwrap().push((address.to_owned(), password.to_owned()));
        match self.servers.lock().unwrap().get(address) {
            Some(server) if server.password != password => Err(failure(Cause::Denied, "wrong password")),
            _ => Ok(()),
        }
    }
}

pub(crate) fn failure(cause: Cause, message: &str) -> CallError {
    CallError::Failure(Failure { cause, message: message.to_owned(), retry_after: None, untouched: false })
}

pub(crate) fn secret(text: &str) -> SecretText {
    SecretText::new(text)
}
