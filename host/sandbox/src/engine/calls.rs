//! The port's calls, one by one.

use std::sync::Arc;

use async_trait::async_trait;
use cofferdam_model::engine::{
    Call, CallError, ConnectionLimits, Done, Ended, Engine, EngineLease, EngineRequest, ExistsGate, Failure, Handle,
    Issued, NewTarget, Outcome, Renewed,
};
use cofferdam_model::inventory::Page;
use cofferdam_model::mount::MountView;
use cofferdam_model::request::Operation;
use cofferdam_model::route::Description;
use cofferdam_model::{Error, Result as HostResult, SecretText};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::ComponentEngine;
use super::run::Run;
use crate::convert::{self, BadAnswer, Shape};
use crate::fault::Fault;
use crate::state::Keeps;

/// Runs one export on the run's instance until the deadline; an error of the guest, of the host or of the clock ends
/// the function that uses it.
macro_rules! ask {
    ($run:ident, $guest:expr, $function:ident $(, $argument:expr)*) => {{
        let compartment = &mut $run.compartment;
        let work = async {
            let guest = $guest.load(&mut compartment.store, &compartment.instance)?;
            guest.$function(&mut compartment.store $(, $argument)*).await
        };
        let end = $run.limit.hold(work).await;
        match $run.answer(end) {
            Ok(answer) => answer,
            Err(error) => return Err($run.refused(error)),
        }
    }};
}

/// Goes on with a good value; ends the run otherwise.
macro_rules! good {
    ($run:ident, $result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Err($run.refused(error)),
        }
    };
}

/// The bindings want an owned text; it is wiped after the call.
fn json(secret: &SecretText) -> Zeroizing<String> {
    Zeroizing::new(secret.expose().to_owned())
}

impl ComponentEngine {
    /// Whether the engine says of itself that it makes this kind, and could read this new handle of it again. The outer
    /// error is the host's, the inner one the guest's.
    async fn check_handle(
        &self,
        mount: &MountView,
        kind: &str,
        handle: Option<&Handle>,
    ) -> Result<Result<(), BadAnswer>, CallError> {
        let Some(handle) = handle else { return Ok(Ok(())) };
        let description = self.description(&mount.path, &mount.options).await.map_err(|e| CallError::Host(e.into()))?;
        let Some(kind) = description.kind(kind) else {
            return Ok(Err(BadAnswer::new("a kind of credential that it does not describe")));
        };
        if !kind.reads_formats.contains(&handle.format) {
            return Ok(Err(BadAnswer::new("a handle that it could not read again")));
        }
        Ok(Ok(()))
    }
}

#[async_trait]
impl Engine for ComponentEngine {
    fn digest(&self) -> &str {
        &self.loaded.digest
    }

    async fn describe(&self, mount: &str, options: &[(String, String)]) -> HostResult<Arc<Description>> {
        Ok(self.description(mount, options).await?)
    }

    fn target(&self, route: &str, fields: &Map<String, Value>) -> HostResult<Option<NewTarget>> {
        self.policy.target(route, fields)
    }

    fn names_targets(&self, route: &str) -> bool {
        self.policy.targets.iter().any(|rule| rule.route == route)
    }

    fn connections(&self, route: &str, fields: &Map<String, Value>) -> HostResult<Option<ConnectionLimits>> {
        let rule = self.policy.connections.as_ref().filter(|rule| rule.route == route);
        rule.map(|rule| rule.read(fields)).transpose()
    }

    async fn handle(
        &self,
        call: Call,
        mut request: EngineRequest,
        gate: Option<&dyn ExistsGate>,
    ) -> Result<Done<Outcome>, CallError> {
        let mount = Arc::clone(&call.mount);
        // Deeper than the contract says, no engine needs to be able to read.
        convert::check_json(&request.fields, usize::MAX, Shape::Object)
            .map_err(|e| Error::invalid(format!("the request's fields are {e}")))?;
        let mut run = Run::begin(self, call, Vec::new()).await?.keeps(Keeps::StorageAndSlots);
        let backend = &self.loaded.exports.backend;
        if let Some(gate) = gate {
            let asked = convert::request(request.clone());
            let exists = ask!(run, backend, call_exists, &asked);
            let exists = good!(run, run.result(exists));
            good!(run, gate.decide(exists).map_err(CallError::Host));
            request.operation = if exists { Operation::Update } else { Operation::Create };
        }
        let asked = convert::request(request);
        let outcome = ask!(run, backend, call_handle, &asked);
        let outcome = good!(run, run.result(outcome));
        let checked = convert::outcome(outcome, self.policy.limits.response_bytes, &run.redactor);
        let outcome = good!(run, run.checked(checked));
        if let Outcome::Issue(plan) = &outcome {
            let checked = good!(run, self.check_handle(&mount, &plan.kind, Some(&plan.handle)).await);
            good!(run, run.checked(checked));
        }
        Ok(Done { value: outcome, changes: run.finish() })
    }

    async fn create(&self, call: Call, lease: EngineLease, carry: SecretText) -> Result<Done<Issued>, CallError> {
        let Some(issuer) = &self.loaded.exports.issuer else { return Err(self.unsupported()) };
        let mount = Arc::clone(&call.mount);
        let mut run = Run::begin(self, call, vec![carry.clone()]).await?.keeps(Keeps::Storage);
        let lease = convert::lease(lease);
        let issued = ask!(run, issuer.credentials, call_create, &lease, &json(&carry));
        let issued = good!(run, run.result(issued));
        let issued = good!(run, run.checked(convert::issued(issued, &run.redactor)));
        let checked = good!(run, self.check_handle(&mount, &lease.kind, issued.handle.as_ref()).await);
        good!(run, run.checked(checked));
        Ok(Done { value: issued, changes: run.finish() })
    }

    async fn renew(&self, call: Call, lease: EngineLease) -> Result<Done<Renewed>, CallError> {
        let Some(issuer) = &self.loaded.exports.issuer else { return Err(self.unsupported()) };
        let mount = Arc::clone(&call.mount);
        let mut run = Run::begin(self, call, Vec::new()).await?.keeps(Keeps::Storage);
        let lease = convert::lease(lease);
        let renewed = ask!(run, issuer.credentials, call_renew, &lease);
        let renewed = good!(run, run.result(renewed));
        let renewed = good!(run, run.checked(convert::renewed(renewed, &run.redactor)));
        let checked = good!(run, self.check_handle(&mount, &lease.kind, renewed.handle.as_ref()).await);
        good!(run, run.checked(checked));
        Ok(Done { value: renewed, changes: run.finish() })
    }

    async fn revoke(&self, call: Call, leases: Vec<EngineLease>) -> Result<Vec<Result<Ended, Failure>>, CallError> {
        let Some(issuer) = &self.loaded.exports.issuer else { return Err(self.unsupported()) };
        let mut run = Run::begin(self, call, Vec::new()).await?;
        let leases: Vec<_> = leases.into_iter().map(convert::lease).collect();
        let ended = ask!(run, issuer.credentials, call_revoke, &leases);
        let ended = good!(run, run.checked(convert::ended(ended, leases.len(), &run.redactor)));
        match ended.iter().find_map(|e| e.as_ref().err()) {
            // An instance that lost its backend is not kept.
            Some(failure) => drop(run.refused(CallError::Failure(failure.clone()))),
            None => drop(run.finish()),
        }
        Ok(ended)
    }

    async fn propose(&self, call: Call, slot: &str, current: &SecretText) -> Result<SecretText, CallError> {
        let Some(issuer) = &self.loaded.exports.issuer else { return Err(self.unsupported()) };
        let mut run = Run::begin(self, call, vec![current.clone()]).await?;
        let proposed = ask!(run, issuer.rotation, call_propose, slot, &json(current));
        let proposed = good!(run, run.result(proposed));
        let proposed = good!(run, run.checked(convert::text_secret(proposed)));
        drop(run.finish());
        Ok(proposed)
    }

    async fn apply(
        &self,
        call: Call,
        slot: &str,
        current: &SecretText,
        candidate: &SecretText,
    ) -> Result<Option<SecretText>, CallError> {
        let Some(issuer) = &self.loaded.exports.issuer else { return Err(self.unsupported()) };
        let mut run = Run::begin(self, call, vec![current.clone(), candidate.clone()]).await?;
        let applied = ask!(run, issuer.rotation, call_apply, slot, &json(current), &json(candidate));
        let applied = good!(run, run.result(applied));
        let applied = good!(run, run.checked(applied.map(convert::text_secret).transpose()));
        drop(run.finish());
        Ok(applied)
    }

    async fn prove(&self, call: Call, slot: &str, secret: &SecretText) -> Result<(), CallError> {
        let Some(issuer) = &self.loaded.exports.issuer else { return Err(self.unsupported()) };
        let mut run = Run::begin(self, call, vec![secret.clone()]).await?;
        let proven = ask!(run, issuer.rotation, call_prove, slot, &json(secret));
        good!(run, run.result(proven));
        drop(run.finish());
        Ok(())
    }

    async fn retire(
        &self,
        call: Call,
        slot: &str,
        old: &SecretText,
        new: &SecretText,
    ) -> Result<Option<String>, CallError> {
        let Some(issuer) = &self.loaded.exports.issuer else { return Err(self.unsupported()) };
        let mut run = Run::begin(self, call, vec![old.clone(), new.clone()]).await?;
        let told = ask!(run, issuer.rotation, call_retire, slot, &json(old), &json(new));
        let told = good!(run, run.result(told));
        let checked = told
            .as_deref()
            .map_or(Ok(()), |told| convert::check_json(told, self.policy.limits.response_bytes, Shape::Object));
        good!(run, run.checked(checked));
        drop(run.finish());
        Ok(told)
    }

    fn has_inventory(&self) -> bool {
        self.loaded.exports.issuer.as_ref().is_some_and(|issuer| issuer.inventory.is_some())
    }

    async fn browse(
        &self,
        call: Call,
        mark: &str,
        object: Option<&str>,
        after: Option<&str>,
    ) -> Result<Page, CallError> {
        let inventory = self.loaded.exports.issuer.as_ref().and_then(|issuer| issuer.inventory.as_ref());
        let Some(inventory) = inventory else { return Err(self.unsupported()) };
        let mount = Arc::clone(&call.mount);
        let backend = call.backend.as_ref().map(|backend| backend.name.clone()).unwrap_or_default();
        let mut run = Run::begin(self, call, Vec::new()).await?;
        let page = ask!(run, inventory, call_browse, &backend, mark, object, after);
        let page = good!(run, run.result(page));
        let page = good!(run, run.checked(convert::page(page)));
        for found in &page.items {
            let checked = good!(run, self.check_handle(&mount, &found.kind, Some(&found.handle)).await);
            good!(run, run.checked(checked));
        }
        drop(run.finish());
        Ok(page)
    }

    fn withdraw(&self, mount_uuid: &str, backend: &str, generation: u64) {
        self.sandbox.leashes.pull(mount_uuid, backend, generation);
        self.sandbox.kept.forget_target(mount_uuid, backend, generation);
        self.sandbox.border.pool.forget_target(mount_uuid, backend, generation);
    }

    fn blame(&self, mount: &str, answer: &str) {
        let fault = Fault::Answer(BadAnswer::new(answer));
        self.sandbox.border.ledger.faulted(&self.policy.engine, mount, &fault);
    }

    async fn migrate(&self, call: Call, stored_format: u32) -> Result<Done<()>, CallError> {
        let mut run = Run::begin(self, call, Vec::new()).await?.keeps(Keeps::Storage);
        let migrated = ask!(run, self.loaded.exports.lifecycle, call_migrate, stored_format);
        good!(run, run.result(migrated));
        Ok(Done { value: (), changes: run.finish() })
    }
}
