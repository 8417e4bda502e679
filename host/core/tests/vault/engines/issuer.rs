//! Makes users in the servers of the model. A root secret is its password, as JSON text.

use std::sync::Arc;

use async_trait::async_trait;
use cofferdam_model::engine::{
    BackendAccess, Call, CallError, Cause, Done, Ended, Engine, EngineLease, EngineRequest, ExistsGate, Failure,
    Handle, Issued, NewTarget, Outcome, Plan, Renewed, TtlWish,
};
use cofferdam_model::inventory::{Found, Page};
use cofferdam_model::request::Operation::{Delete, Read, Update};
use cofferdam_model::route::{Description, Kind};
use cofferdam_model::view::{Changes, Read as Seen, Write};
use cofferdam_model::{Error, Result, SecretText, ids};
use serde_json::{Map, Value, json};

use super::{kept, reply, route};
use crate::model::{Model, failure, secret};

pub(super) struct Issuer(pub(super) Arc<Model>);

impl Issuer {
    /// Logs in as the administrator: only where a grant says so.
    fn enter(&self, access: Option<&BackendAccess>, secret: Option<&SecretText>) -> Result<String, CallError> {
        let access = access.ok_or_else(|| failure(Cause::Internal, "no backend"))?;
        let target = access.target.as_ref().ok_or_else(|| failure(Cause::Invalid, "no target"))?;
        assert!(access.grants.iter().any(|g| g.host == target.host && g.port == target.port));
        let address = format!("{}:{}", target.host, target.port);
        let password = secret.ok_or_else(|| failure(Cause::Invalid, "no password"))?;
        self.0.login(&address, password.expose())?;
        Ok(address)
    }

    fn root(&self, call: &Call) -> Result<String, CallError> {
        let access = call.backend.as_ref();
        self.enter(access, access.and_then(|a| a.secret.as_ref()))
    }

    async fn configure(&self, call: Call, name: &str, fields: &Value) -> Result<Done<Outcome>, CallError> {
        let access = call.backend.as_ref();
        let sent = fields["password"].as_str().filter(|p| !p.is_empty()).map(secret);
        let root = sent.or_else(|| access.and_then(|a| a.secret.clone()));
        if fields["verify"] != json!("false") {
            self.enter(access, root.as_ref())?;
        }
        self.0.pass("issuer config").await?;
        let mut changes = Changes::default();
        changes.slots.extend(root.map(|r| (name.to_owned(), r)));
        changes.writes.push(Write::Put { key: format!("config/{name}"), value: b"{}".to_vec() });
        Ok(reply(None, changes))
    }

    async fn plan(&self, call: &Call, role: &str) -> Result<Done<Outcome>, CallError> {
        let key = format!("roles/{role}");
        let entry = call.view.get(&key).await?;
        let entry = entry.ok_or_else(|| failure(Cause::Invalid, "unknown role"))?;
        let wish: Value = serde_json::from_slice(&entry.value).unwrap();
        let text = |field: &str, usual: &str| wish[field].as_str().unwrap_or(usual).to_owned();
        let plan = Plan {
            kind: text("kind", "user"),
            role: role.to_owned(),
            backend: text("db", ""),
            object: text("object", &format!("u-{}", ids::base62(20))),
            handle: Handle { format: 1, data: "{}".to_owned() },
            carry: secret("user's password"),
            ttl: TtlWish { ttl: Some(60), max_ttl: None, renewable: true },
        };
        let reads = vec![Seen::Entry { key, version: entry.version }];
        Ok(Done { value: Outcome::Issue(plan), changes: Changes { reads, ..Changes::default() } })
    }
}

#[async_trait]
impl Engine for Issuer {
    fn digest(&self) -> &str {
        "11"
    }

    async fn describe(&self, _mount: &str, _options: &[(String, String)]) -> Result<Arc<Description>> {
        Ok(Arc::new(Description {
            name: "issuer".to_owned(),
            version: "1".to_owned(),
            help: "Makes users.".to_owned(),
            routes: vec![
                route("config/{name}", &[Read, Update, Delete], "{name}", &["url", "password", "verify"]),
                route("roles/{name}", &[Read, Update], "", &["db", "kind", "object"]),
                route("creds/{name}", &[Read], "", &[]),
                route("networked/{name}", &[Read], "main", &[]),
                route("foreign/{name}", &[Update], "{name}", &[]),
                route("unnamed/{name}", &[Update], "", &[]),
                route("rotate-root/{name}", &[Update], "", &[]),
                route("kept/{name}", &[Read, Update, Delete], "main", &["every"]),
            ],
            kinds: vec![Kind {
                name: "user".to_owned(),
                reads_formats: self.0.reads_formats(),
                settles_after: 0,
                creates_within: 10,
                ends_itself: false,
            }],
            storage_format: 1,
            reads_storage: vec![1],
        }))
    }

    fn target(&self, route: &str, fields: &Map<String, Value>) -> Result<Option<NewTarget>> {
        let Some(url) = fields.get("url").and_then(Value::as_str).filter(|_| self.names_targets(route)) else {
            return Ok(None);
        };
        let (host, port) = url
            .split('/')
            .next()
            .and_then(|a| a.split_once(':'))
            .and_then(|(h, p)| Some((h.to_owned(), p.parse().ok()?)))
            .ok_or_else(|| Error::invalid("url: host:port/database"))?;
        Ok(Some(NewTarget {
            field: "url".to_owned(),
            host,
            port,
            location: url.to_owned(),
            secret_fields: vec!["password".to_owned()],
            endpoints: Vec::new(),
        }))
    }

    fn blame(&self, mount: &str, answer: &str) {
        self.0.blame(mount, answer);
    }

    fn names_targets(&self, route: &str) -> bool {
        route == "config/{name}"
    }

    async fn handle(
        &self,
        call: Call,
        request: EngineRequest,
        _gate: Option<&dyn ExistsGate>,
    ) -> Result<Done<Outcome>, CallError> {
        let name = request.params.first().map(|(_, v)| v.clone()).unwrap_or_default();
        let fields: Value = serde_json::from_str(&request.fields).unwrap();
        let mut changes = Changes::default();
        match (request.route.as_str(), request.operation) {
            ("config/{name}", Update) => self.configure(call, &name, &fields).await,
            ("config/{name}", Delete) => {
                self.0.pass("issuer delete").await?;
                changes.writes.push(Write::Delete { key: format!("config/{name}") });
                Ok(reply(None, changes))
            }
            ("config/{name}", _) => {
                let target = call.backend.and_then(|b| b.target);
                Ok(reply(target.map(|t| json!({ "url": t.location, "generation": t.generation })).as_ref(), changes))
            }
            ("roles/{name}", Update) => {
                changes.writes.push(Write::Put { key: format!("roles/{name}"), value: request.fields.into_bytes() });
                Ok(reply(None, changes))
            }
            ("kept/{name}", operation) => kept::handle(&call, operation, &name, &fields).await,
            ("rotate-root/{name}", _) => Ok(Done { value: Outcome::Rotate(name), changes }),
            ("foreign/{name}", _) => {
                changes.slots.push(("another".to_owned(), secret("stolen")));
                Ok(reply(None, changes))
            }
            ("unnamed/{name}", _) => {
                changes.slots.push((name, secret("stolen")));
                Ok(reply(None, changes))
            }
            _ => self.plan(&call, &name).await,
        }
    }

    async fn create(&self, call: Call, lease: EngineLease, carry: SecretText) -> Result<Done<Issued>, CallError> {
        self.0.pass("issuer create").await?;
        let address = self.root(&call)?;
        self.0.with(&address, |s| {
            s.users.insert(lease.object.clone());
            s.stamps.insert(lease.object.clone(), lease.stamp.clone());
        });
        self.0.pass("issuer created").await?;
        let data = json!({ "username": lease.object, "password": carry.expose() });
        let value = Issued { data: secret(&data.to_string()), warnings: Vec::new(), handle: None };
        Ok(Done { value, changes: Changes::default() })
    }

    async fn renew(&self, call: Call, _lease: EngineLease) -> Result<Done<Renewed>, CallError> {
        self.root(&call)?;
        Ok(Done { value: Renewed::default(), changes: Changes::default() })
    }

    async fn revoke(&self, call: Call, leases: Vec<EngineLease>) -> Result<Vec<Result<Ended, Failure>>, CallError> {
        self.0.pass("issuer revoke").await?;
        let address = self.root(&call)?;
        let gone = |object: &str| self.0.with(&address, |s| s.users.remove(object));
        Ok(leases.iter().map(|l| Ok(if gone(&l.object) { Ended::Removed } else { Ended::Absent })).collect())
    }

    async fn propose(&self, _call: Call, slot: &str, current: &SecretText) -> Result<SecretText, CallError> {
        self.0.pass("issuer propose").await?;
        if kept::is_slot(slot) {
            return Ok(kept::propose());
        }
        Ok(secret(&format!("{}-{}", current.expose().split('-').next().unwrap(), ids::base62(12))))
    }

    async fn apply(
        &self,
        call: Call,
        slot: &str,
        current: &SecretText,
        candidate: &SecretText,
    ) -> Result<Option<SecretText>, CallError> {
        if kept::is_slot(slot) {
            return kept::Account::new(&self.0, self.root(&call)?, slot).apply(current, candidate).await;
        }
        self.0.pass("issuer apply").await?;
        let address = self.enter(call.backend.as_ref(), Some(current))?;
        let chosen = format!("chosen-{}", ids::base62(12));
        if self.0.with(&address, |s| s.chooses) && !candidate.expose().starts_with("chosen-") {
            self.0.pass("issuer chose").await?;
            return Ok(Some(secret(&chosen)));
        }
        self.0.with(&address, |s| candidate.expose().clone_into(&mut s.password));
        self.0.pass("issuer applied").await?;
        Ok(None)
    }

    async fn prove(&self, call: Call, slot: &str, secret: &SecretText) -> Result<(), CallError> {
        if kept::is_slot(slot) {
            return kept::Account::new(&self.0, self.root(&call)?, slot).prove(secret).await;
        }
        self.0.pass("issuer prove").await?;
        self.enter(call.backend.as_ref(), Some(secret))?;
        self.0.pass("issuer proved").await
    }

    async fn retire(
        &self,
        call: Call,
        slot: &str,
        old: &SecretText,
        new: &SecretText,
    ) -> Result<Option<String>, CallError> {
        if kept::is_slot(slot) {
            return kept::Account::new(&self.0, self.root(&call)?, slot).retire(old, new).await;
        }
        self.0.pass("issuer retire").await?;
        let address = self.enter(call.backend.as_ref(), Some(new))?;
        self.0.with(&address, |s| s.retired.push(old.expose().to_owned()));
        self.0.pass("issuer retired").await?;
        Ok(Some(json!({ "about": "the new one" }).to_string()))
    }

    fn has_inventory(&self) -> bool {
        true
    }

    async fn browse(
        &self,
        call: Call,
        mark: &str,
        object: Option<&str>,
        after: Option<&str>,
    ) -> Result<Page, CallError> {
        let address = self.root(&call)?;
        let all: Vec<(String, String)> = self.0.with(&address, |s| {
            s.browsed += 1;
            let there = s.stamps.iter().filter(|(name, stamp)| s.users.contains(*name) && stamp.starts_with(mark));
            let wanted = there.filter(|(name, _)| object.is_none_or(|object| object == *name));
            let behind = wanted.filter(|(name, _)| after.is_none_or(|after| name.as_str() > after));
            behind.map(|(name, stamp)| (name.clone(), stamp.clone())).collect()
        });
        // One at a time.
        let next = all.first().filter(|_| all.len() > 1).map(|(name, _)| name.clone());
        let handle = Handle { format: 1, data: "{}".to_owned() };
        let found = all.into_iter().take(1).map(|(object, stamp)| Found {
            object,
            kind: "user".to_owned(),
            stamp,
            handle: handle.clone(),
            created_at: None,
        });
        Ok(Page { items: found.collect(), next })
    }

    async fn migrate(&self, _call: Call, _stored_format: u32) -> Result<Done<()>, CallError> {
        Err(failure(Cause::Unsupported, "one format"))
    }
}
