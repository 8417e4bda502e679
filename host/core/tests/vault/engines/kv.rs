//! Keys and values, a counter, and what an engine does that breaks.

use std::sync::Arc;

use async_trait::async_trait;
use cofferdam_model::Result;
use cofferdam_model::SecretText;
use cofferdam_model::engine::{
    Call, CallError, Cause, Done, Ended, Engine, EngineLease, EngineRequest, ExistsGate, Failure, Issued, NewTarget,
    Outcome, Renewed,
};
use cofferdam_model::request::Operation::{Create, Delete, List, Read, Update};
use cofferdam_model::route::Description;
use cofferdam_model::view::{Changes, Read as Seen, Write};
use serde_json::{Map, Value, json};

use super::{reply, route};
use crate::model::{Model, failure};

/// The entries of format 2 stand below `2/`.
pub(super) struct Kv(pub(super) Arc<Model>);

fn key(call: &Call, path: &str) -> String {
    let second = call.mount.options.iter().any(|(k, v)| k == "version" && v == "2");
    if second { format!("2/{path}") } else { path.to_owned() }
}

#[async_trait]
impl Engine for Kv {
    fn digest(&self) -> &str {
        "00"
    }

    async fn describe(&self, _mount: &str, options: &[(String, String)]) -> Result<Arc<Description>> {
        let second = options.iter().any(|(k, v)| k == "version" && v == "2");
        let mut data = route("data/{path*}", &[Create, Read, Update, Delete, List], "", &[]);
        data.open_fields = true;
        data.upsert = true;
        let mut again = route("again/{path*}", &[Read], "", &[]);
        again.open_fields = true;
        let mut unasked = route("update-only/{path*}", &[Update], "", &[]);
        unasked.open_fields = true;
        Ok(Arc::new(Description {
            name: "kv".to_owned(),
            version: "1".to_owned(),
            help: "Keys and values.".to_owned(),
            routes: vec![
                data,
                unasked,
                again,
                route("count/{name}", &[Update], "", &[]),
                route("die", &[Read], "", &[]),
            ],
            kinds: Vec::new(),
            storage_format: if second { 2 } else { 1 },
            reads_storage: vec![1],
        }))
    }

    fn target(&self, _route: &str, _fields: &Map<String, Value>) -> Result<Option<NewTarget>> {
        Ok(None)
    }

    fn names_targets(&self, _route: &str) -> bool {
        false
    }

    async fn handle(
        &self,
        call: Call,
        request: EngineRequest,
        gate: Option<&dyn ExistsGate>,
    ) -> Result<Done<Outcome>, CallError> {
        let path = request.params.first().map(|(_, v)| v.clone()).unwrap_or_default();
        let key = key(&call, &path);
        let mut changes = Changes::default();
        if request.route == "die" {
            self.0.pass("kv die").await?;
        }
        if let Some(gate) = gate {
            gate.decide(call.view.get(&key).await?.is_some())?;
        }
        if request.operation == List {
            let names = call.view.list(&key, None, 1_000).await?;
            return Ok(reply((!names.is_empty()).then(|| json!({ "keys": names })).as_ref(), changes));
        }
        let old = call.view.get(&key).await?;
        changes.reads.push(Seen::Entry { key: key.clone(), version: old.as_ref().map_or(0, |e| e.version) });
        self.0.pass("kv read").await?;
        let old: Option<Value> = old.map(|e| serde_json::from_slice(&e.value).unwrap());
        match (request.operation, request.route.as_str()) {
            (Read, "again/{path*}") => {
                changes.repeatable = true;
                Ok(reply(Some(&json!({ "entry": old, "fields": request.fields })), changes))
            }
            (Read, _) => Ok(reply(old.as_ref(), changes)),
            (Delete, _) => {
                changes.writes.push(Write::Delete { key });
                Ok(reply(None, changes))
            }
            (Update | Create, "count/{name}") => {
                let n = old.and_then(|v| v["n"].as_u64()).unwrap_or(0) + 1;
                let value = json!({ "n": n });
                changes.writes.push(Write::Put { key, value: value.to_string().into_bytes() });
                Ok(reply(Some(&value), changes))
            }
            _ => {
                changes.writes.push(Write::Put { key, value: request.fields.into_bytes() });
                Ok(reply(None, changes))
            }
        }
    }

    async fn create(&self, _: Call, _: EngineLease, _: SecretText) -> Result<Done<Issued>, CallError> {
        Err(failure(Cause::Unsupported, "no credentials"))
    }

    async fn renew(&self, _: Call, _: EngineLease) -> Result<Done<Renewed>, CallError> {
        Err(failure(Cause::Unsupported, "no credentials"))
    }

    async fn revoke(&self, _: Call, _: Vec<EngineLease>) -> Result<Vec<Result<Ended, Failure>>, CallError> {
        Err(failure(Cause::Unsupported, "no credentials"))
    }

    async fn propose(&self, _: Call, _: &str, _: &SecretText) -> Result<SecretText, CallError> {
        Err(failure(Cause::Unsupported, "no rotation"))
    }

    async fn apply(&self, _: Call, _: &str, _: &SecretText, _: &SecretText) -> Result<Option<SecretText>, CallError> {
        Err(failure(Cause::Unsupported, "no rotation"))
    }

    async fn prove(&self, _: Call, _: &str, _: &SecretText) -> Result<(), CallError> {
        Err(failure(Cause::Unsupported, "no rotation"))
    }

    async fn retire(&self, _: Call, _: &str, _: &SecretText, _: &SecretText) -> Result<Option<String>, CallError> {
        Err(failure(Cause::Unsupported, "no rotation"))
    }

    async fn migrate(&self, call: Call, stored_format: u32) -> Result<Done<()>, CallError> {
        assert_eq!(stored_format, 1);
        let (count, newest) = call.view.range("").await?;
        let mut changes = Changes::default();
        changes.reads.push(Seen::Range { prefix: String::new(), count, newest });
        for entry in call.view.scan("", None, 1_000).await? {
            changes.writes.push(Write::Delete { key: entry.key.clone() });
            changes.writes.push(Write::Put { key: format!("2/{}", entry.key), value: entry.value });
        }
        self.0.pass("kv migrate").await?;
        Ok(Done { value: (), changes })
    }
}
