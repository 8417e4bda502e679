//! The client as commands use it: blocking, and able to describe a call instead of making it.

use std::cell::RefCell;

use cofferdam_client::{Client, Error, Method, Request, Response, Secret};
use serde_json::Value;

use crate::dry;
use crate::failure::Failure;

/// What to show instead of making a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Instead {
    /// A cURL command.
    Curl,
    /// A policy that allows it.
    Policy,
}

/// A call that gave nothing to go on with.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The client's error.
    Client(Error),
    /// The description of the call that was not made.
    Described(String),
}

impl CallError {
    /// The HTTP status, where the server answered.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Client(error) => error.status(),
            Self::Described(_) => None,
        }
    }

    /// The data that came with a refusal.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Client(error) => error.response()?.secret.as_deref(),
            Self::Described(_) => None,
        }
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Client(error)
    }
}

/// Shorthand for calls.
pub(crate) type Call<T> = Result<T, CallError>;

/// A connection to the server, made on first use.
pub(crate) struct Api {
    client: RefCell<Client>,
    runtime: tokio::runtime::Runtime,
    instead: Option<Instead>,
}

impl Api {
    /// Wraps a client.
    pub(crate) fn new(client: Client, instead: Option<Instead>) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::remote(format!("failed to create client: {e}")))?;
        Ok(Self { client: RefCell::new(client), runtime, instead })
    }

    /// Whether calls are only described.
    pub(crate) fn describes(&self) -> bool {
        self.instead.is_some()
    }

    /// The token in use, empty if there is none.
    pub(crate) fn token(&self) -> String {
        use secrecy::ExposeSecret;
        self.client.borrow().config().token.as_ref().map(|t| t.expose_secret().to_owned()).unwrap_or_default()
    }

    /// Makes a call, or describes it.
    pub(crate) fn send(&self, request: &Request) -> Call<Response> {
        let client = self.client.borrow();
        match self.instead {
            None => Ok(self.runtime.block_on(client.send(request))?),
            Some(Instead::Curl) => Err(CallError::Described(dry::curl(&client, request))),
            Some(Instead::Policy) => Err(CallError::Described(dry::policy(request))),
        }
    }

    /// Makes a call that others depend on, even where calls are only described. Its answer is never wrapped.
    pub(crate) fn ask(&self, request: Request) -> Call<Response> {
        Ok(self.runtime.block_on(self.client.borrow().send(&request.unwrapped()))?)
    }

    /// Makes a call for its envelope.
    pub(crate) fn secret(&self, request: &Request) -> Call<Option<Secret>> {
        Ok(self.send(request)?.secret()?)
    }

    /// Reads or lists: what is not there is no error.
    pub(crate) fn look(&self, request: &Request) -> Call<Option<Secret>> {
        absent_is_none(self.secret(request))
    }

    /// [`Self::look`] that is made even where calls are only described.
    pub(crate) fn ask_look(&self, request: Request) -> Call<Option<Secret>> {
        absent_is_none(self.ask(request).and_then(|r| Ok(r.secret()?)))
    }

    /// Reads a path.
    pub(crate) fn read(&self, path: &str) -> Call<Option<Secret>> {
        self.look(&Request::new(Method::Get, path))
    }

    /// Lists a path.
    pub(crate) fn list(&self, path: &str) -> Call<Option<Secret>> {
        self.look(&Request::list(path))
    }

    /// Sends a body with PUT.
    pub(crate) fn put(&self, path: &str, body: impl Into<Value>) -> Call<Option<Secret>> {
        self.secret(&Request::new(Method::Put, path).body(body))
    }

    /// Sends a body with POST.
    pub(crate) fn post(&self, path: &str, body: impl Into<Value>) -> Call<Option<Secret>> {
        self.secret(&Request::new(Method::Post, path).body(body))
    }

    /// Sends a merge patch.
    pub(crate) fn patch(&self, path: &str, body: impl Into<Value>) -> Call<Option<Secret>> {
        self.secret(&Request::new(Method::Patch, path).body(body))
    }

    /// Deletes a path.
    pub(crate) fn delete(&self, path: &str) -> Call<Option<Secret>> {
        self.secret(&Request::new(Method::Delete, path))
    }

    /// Gets JSON that has no envelope.
    pub(crate) fn json(&self, path: &str) -> Call<Value> {
        Ok(self.send(&Request::new(Method::Get, path))?.json()?)
    }

    /// Gets the help of a path.
    pub(crate) fn help(&self, path: &str) -> Call<serde_json::Map<String, Value>> {
        match self.send(&Request::new(Method::Get, path).query("help", "1"))?.json()? {
            Value::Object(help) => Ok(help),
            _ => Ok(serde_json::Map::new()),
        }
    }

    /// Waits.
    pub(crate) fn pause(&self, time: std::time::Duration) {
        self.runtime.block_on(tokio::time::sleep(time));
    }
}

fn absent_is_none(answer: Call<Option<Secret>>) -> Call<Option<Secret>> {
    match answer {
        // A 404 may still carry data (a deleted version of a key) or a warning (a path of another kind of engine).
        Err(e) if e.status() == Some(404) => Ok(e.secret().cloned()),
        other => other,
    }
}
