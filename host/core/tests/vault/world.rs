//! A server below HTTP for one test.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_core::{Core, Parts, Settings};
use cofferdam_model::clock::ManualClock;
use cofferdam_model::{Error, ErrorKind, Operation, Request, Response, SecretText, Timestamp};
use serde_json::{Map, Value, json};

use crate::engines::Engines;
use crate::model::{Hold, Model};
use crate::review::Unseen;
use crate::store::Store;

pub(crate) use Operation::{Delete, Help, List, Read, Update};

/// A core with its store, clock and backend.
pub(crate) struct World {
    pub(crate) core: Arc<Core>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) model: Arc<Model>,
    pub(crate) root: String,
    pub(crate) keys: Vec<String>,
}

impl World {
    /// Initialised with one share, unsealed.
    pub(crate) async fn new() -> Self {
        let mut world = Self::empty().await;
        world.init(1, 1).await.unwrap();
        world.unseal().await;
        world
    }

    /// Not initialised.
    pub(crate) async fn empty() -> Self {
        let store = Arc::new(Store::new().await);
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_800_000_000)));
        let model = Arc::new(Model::default());
        let core = core(&store, &clock, &model);
        Self { core, store, clock, model, root: String::new(), keys: Vec::new() }
    }

    pub(crate) async fn init(&mut self, shares: u8, threshold: u8) -> Result<(), Error> {
        let body = json!({ "secret_shares": shares, "secret_threshold": threshold });
        let made = data(&self.ask("", Update, "sys/init", body).await?);
        self.root = text(&made, "root_token");
        self.keys = made["keys_base64"].as_array().unwrap().iter().map(|k| k.as_str().unwrap().to_owned()).collect();
        Ok(())
    }

    pub(crate) async fn unseal(&self) {
        for key in &self.keys {
            self.ask("", Update, "sys/unseal", json!({ "key": key })).await.unwrap();
        }
    }

    /// Seals, and goes on with a new core on the same store: what was interrupted is resumed.
    pub(crate) async fn restart(&mut self) {
        self.core.shutdown().await;
        self.core = core(&self.store, &self.clock, &self.model);
        self.unseal().await;
    }

    pub(crate) async fn ask(
        &self,
        token: &str,
        operation: Operation,
        path: &str,
        body: Value,
    ) -> Result<Response, Error> {
        self.core.handle(request(token, operation, path, body)).await
    }

    /// The same in a task of its own.
    pub(crate) fn spawn(
        &self,
        token: &str,
        operation: Operation,
        path: &str,
        body: Value,
    ) -> tokio::task::JoinHandle<Result<Response, Error>> {
        let (core, request) = (self.core.clone(), request(token, operation, path, body));
        tokio::spawn(async move { core.handle(request).await })
    }

    /// As root; must succeed.
    pub(crate) async fn root(&self, operation: Operation, path: &str, body: Value) -> Value {
        match self.ask(&self.root, operation, path, body).await {
            Ok(response) => data(&response),
            Err(e) => panic!("{operation:?} {path}: {e}"),
        }
    }

    /// A token with one policy of this text.
    pub(crate) async fn limited(&self, name: &str, policy: &str) -> String {
        self.root(Update, &format!("sys/policies/acl/{name}"), json!({ "policy": policy })).await;
        self.token(json!({ "policies": [name] })).await
    }

    /// A token made by root.
    pub(crate) async fn token(&self, body: Value) -> String {
        self.child(&self.root, body).await.unwrap()
    }

    /// A token made by another.
    pub(crate) async fn child(&self, parent: &str, body: Value) -> Result<String, Error> {
        let made = self.ask(parent, Update, "auth/token/create", body).await?;
        Ok(made.auth.unwrap().client_token.expose().to_owned())
    }

    /// Whether a token is one.
    pub(crate) async fn is_valid(&self, token: &str) -> bool {
        self.ask(token, Read, "auth/token/lookup-self", Value::Null).await.is_ok()
    }

    /// A kv at `kv/`, an issuer at `db/` with a connection `main` to `db.corp:5432`, and a role `app` on it.
    pub(crate) async fn mounted(&self) {
        self.root(Update, "sys/mounts/kv", json!({ "type": "kv" })).await;
        self.root(Update, "sys/mounts/db", json!({ "type": "issuer" })).await;
        self.model.serve("db.corp:5432", "first");
        let config = json!({ "url": "db.corp:5432/app", "password": "first" });
        self.root(Update, "db/config/main", config).await;
        self.root(Update, "db/roles/app", json!({ "db": "main" })).await;
    }

    /// A credential: (lease id, user).
    pub(crate) async fn credential(&self) -> (String, String) {
        let made = self.ask(&self.root, Read, "db/creds/app", Value::Null).await.unwrap();
        (made.lease.id.clone(), text(&data(&made), "username"))
    }

    /// The next read of an entry of this key waits after it has read.
    pub(crate) fn hold_entry(&self, key: &str) -> Hold {
        let hold = Hold::new();
        *self.store.hold_entry.lock().unwrap() = Some((key.to_owned(), hold.clone()));
        hold
    }

    /// The next read of a token waits after it has read.
    pub(crate) fn hold_token(&self) -> Hold {
        let hold = Hold::new();
        *self.store.hold_token.lock().unwrap() = Some(hold.clone());
        hold
    }
}

fn core(store: &Arc<Store>, clock: &Arc<ManualClock>, model: &Arc<Model>) -> Arc<Core> {
    Core::new(Parts {
        store: store.clone(),
        witness: None,
        catalog: Arc::new(Engines::new(model)),
        review: Arc::new(Unseen),
        clock: clock.clone(),
        settings: Settings::default(),
        process: Box::new(|| None),
        on_unseal: Box::new(|_| {}),
        on_seal: Box::new(|| {}),
    })
}

fn request(token: &str, operation: Operation, path: &str, body: Value) -> Request {
    let mut request = Request::new(operation, path);
    request.token = (!token.is_empty()).then(|| SecretText::new(token));
    request.has_body = body.is_object();
    request.data = match body {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    request
}

/// The answer's data; null: none.
pub(crate) fn data(response: &Response) -> Value {
    response.data.as_ref().map_or(Value::Null, |d| serde_json::from_str(d.get()).unwrap())
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// The kind of a failed request.
#[track_caller]
pub(crate) fn refused(result: Result<Response, Error>) -> ErrorKind {
    result.expect_err("the request must fail").kind
}

/// Waits for what the server does by itself.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, look: impl Fn() -> F) {
    for _ in 0..3_000 {
        if look().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: has not happened");
}
