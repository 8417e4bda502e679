//! Two engines without a compartment: a key-value store, and one that makes users in the model's servers.

mod issuer;
mod kept;
mod kv;

use std::sync::Arc;

use async_trait::async_trait;
use cofferdam_model::Result;
use cofferdam_model::engine::{Catalog, Done, Engine, Outcome, Reply};
use cofferdam_model::request::Operation;
use cofferdam_model::route::{Field, FieldKind, Pattern, Route};
use cofferdam_model::view::Changes;
use serde_json::Value;

use crate::model::Model;

/// Both engines.
pub(crate) struct Engines {
    kv: Arc<dyn Engine>,
    issuer: Arc<dyn Engine>,
}

impl Engines {
    pub(crate) fn new(model: &Arc<Model>) -> Self {
        Self { kv: Arc::new(kv::Kv(model.clone())), issuer: Arc::new(issuer::Issuer(model.clone())) }
    }
}

#[async_trait]
impl Catalog for Engines {
    async fn engine(&self, kind: &str) -> Result<Option<Arc<dyn Engine>>> {
        Ok(match kind {
            "kv" => Some(self.kv.clone()),
            "issuer" => Some(self.issuer.clone()),
            _ => None,
        })
    }

    fn kinds(&self) -> Vec<String> {
        vec!["issuer".to_owned(), "kv".to_owned()]
    }
}

/// A route; `backend` empty: no network.
fn route(pattern: &str, operations: &[Operation], backend: &str, fields: &[&str]) -> Route {
    Route {
        pattern: Pattern::parse(pattern).unwrap(),
        operations: operations.to_vec(),
        open_fields: false,
        upsert: false,
        backend: (!backend.is_empty()).then(|| backend.to_owned()),
        fields: fields
            .iter()
            .map(|name| Field {
                name: (*name).to_owned(),
                kind: FieldKind::Text,
                required: false,
                sensitive: *name == "password",
                help: String::new(),
            })
            .collect(),
        synopsis: format!("About {pattern}."),
        help: String::new(),
    }
}

fn reply(value: Option<&Value>, changes: Changes) -> Done<Outcome> {
    let reply = Reply { data: value.map(Value::to_string), ..Reply::default() };
    Done { value: Outcome::Reply(reply), changes }
}
