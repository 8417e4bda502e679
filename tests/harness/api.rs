//! Vault's HTTP API as a client without opinions: any verb, any path, any body; every status is an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

/// A server, and the token that requests carry.
#[derive(Clone)]
pub struct Api {
    agent: Agent,
    base: String,
    token: Option<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What was asked, for messages.
    pub asked: String,
    /// The HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON; a text where it is none; `""` for no bytes.
    pub body: Value,
}

impl Api {
    /// A client of the server at `base` (`http://host:port`).
    pub fn new(base: &str, token: Option<&str>) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(100)))
            .build()
            .into();
        Self { agent, base: base.to_owned(), token: token.map(str::to_owned) }
    }

    /// The same server with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same server without a token.
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// Where the server is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The token that requests carry.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("this client has a token")
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None)
    }

    /// LIST.
    #[track_caller]
    pub fn list(&self, path: &str) -> Reply {
        self.send("LIST", path, None)
    }

    /// POST with a JSON body.
    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, Some(body))
    }

    /// PUT with a JSON body.
    #[track_caller]
    pub fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, Some(body))
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None)
    }

    /// Any verb; the server must answer.
    #[track_caller]
    pub fn send(&self, verb: &str, path: &str, body: Option<Value>) -> Reply {
        self.try_send(verb, path, body).unwrap_or_else(|e| panic!("{verb} {path}: {e}"))
    }

    /// Any verb; the server may be gone.
    pub fn try_send(&self, verb: &str, path: &str, body: Option<Value>) -> Result<Reply, String> {
        let mut headers = Vec::new();
        if let Some(token) = &self.token {
            headers.push(("X-Vault-Token".to_owned(), token.clone()));
        }
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        self.exchange(verb, path, &headers, body.map(|b| b.to_string().into_bytes()))
    }

    /// The bare exchange: exactly these headers and bytes.
    pub fn exchange(
        &self,
        verb: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<Vec<u8>>,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(verb).uri(format!("{}/v1/{path}", self.base));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let asked = format!("{verb} {path}");
        let said = |e: &dyn std::fmt::Display| e.to_string();
        let answer = match body {
            // An empty body has a length too, and these verbs say so.
            None if !matches!(verb, "POST" | "PUT" | "PATCH") => {
                self.agent.run(request.body(()).map_err(|e| said(&e))?)
            }
            bytes => self.agent.run(request.body(bytes.unwrap_or_default()).map_err(|e| said(&e))?),
        };
        read(asked, answer.map_err(|e| said(&e))?)
    }

    /// A child token with these policies; further fields of auth/token/create in `more`.
    #[track_caller]
    pub fn child(&self, policies: &[&str], more: Value) -> Self {
        let mut body = json!({ "policies": policies });
        merge(&mut body, more);
        let made = self.post("auth/token/create", body).ok();
        self.with_token(made["auth"]["client_token"].as_str().expect("a token"))
    }

    /// Writes an ACL policy.
    #[track_caller]
    pub fn policy(&self, name: &str, text: &str) {
        self.put(&format!("sys/policies/acl/{name}"), json!({ "policy": text })).ok();
    }

    /// Enables a secrets engine.
    #[track_caller]
    pub fn mount(&self, path: &str, kind: &str) {
        self.post(&format!("sys/mounts/{path}"), json!({ "type": kind })).ok();
    }
}

impl Reply {
    /// The body of a success; anything else panics with what the server said.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} answered {}: {}", self.asked, self.status, self.body);
        self.body
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert!(self.status == status, "{}: wanted {status}, got {}: {}", self.asked, self.status, self.body);
        self.body
    }

    /// The body of a refusal that must have this status and say this.
    #[track_caller]
    pub fn refused(self, status: u16, text: &str) {
        let asked = self.asked.clone();
        let said = self.expect(status)["errors"].to_string();
        assert!(said.contains(text), "{asked}: {said} does not say {text:?}");
    }

    /// Whether this is a success.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

fn read(asked: String, mut response: Response<Body>) -> Result<Reply, String> {
    let status = response.status().as_u16();
    let mut headers = BTreeMap::new();
    for (name, value) in response.headers() {
        headers.insert(name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    let bytes = response.body_mut().read_to_vec().map_err(|e| e.to_string())?;
    let body = if bytes.is_empty() {
        Value::String(String::new())
    } else {
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
    };
    Ok(Reply { asked, status, headers, body })
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}
