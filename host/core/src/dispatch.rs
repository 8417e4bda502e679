//! A request for an engine: route, existence check, fields, network, outcome.

use std::sync::Arc;

use cofferdam_acl::{Acl, Ask};
use cofferdam_leases::IssueError;
use cofferdam_model::engine::{
    BackendAccess, CallError, Cause, ConnectionLimits, Done, Engine, EngineRequest, ExistsGate, Failure, Lane, Outcome,
    Reply,
};
use cofferdam_model::fields::{self, Checked};
use cofferdam_model::route::{Description, Route};
use cofferdam_model::{Error, ErrorKind, LeaseInfo, Operation, Request, Response, Result};
use cofferdam_storage::port::Batch;
use cofferdam_tokens::Token;

use crate::calls::{BACKEND_DEADLINE, LOCAL_DEADLINE};
use crate::mounts::MountEntry;
use crate::remembered::Question;
use crate::targets::{Staged, Targets, Writer};
use crate::vault::Vault;

/// How often a call is run anew because what it read had changed by the time of its commit.
const RUNS_MAX: u32 = 8;

/// A request that was authenticated and routed, with what decides about it.
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Request,
    pub(crate) mount: Arc<MountEntry>,
    /// The path below the mount.
    pub(crate) rest: &'a str,
    pub(crate) token: Arc<Token>,
    pub(crate) acl: Arc<Acl>,
}

impl Asked<'_> {
    /// Whether the caller may write this path with `sudo`, where only a part of what is asked needs it.
    pub(crate) fn has_sudo(&self) -> bool {
        let ask = Ask {
            operation: Operation::Update,
            path: &self.request.path,
            data: None,
            wrap_ttl: self.request.wrap_ttl,
            needs_sudo: true,
        };
        self.acl.decide(&ask).allowed
    }
}

/// The request, matched against the engine's routes.
pub(crate) struct Routed<'a> {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) description: Arc<Description>,
    route: &'a Route,
    params: Vec<(String, String)>,
    checked: Checked,
}

/// Decides between create and update once the engine said whether the object is there.
struct Gate<'a> {
    asked: &'a Asked<'a>,
}

impl ExistsGate for Gate<'_> {
    fn decide(&self, exists: bool) -> Result<()> {
        let operation = if exists { Operation::Update } else { Operation::Create };
        allow(self.asked, operation)
    }
}

fn allow(asked: &Asked<'_>, operation: Operation) -> Result<()> {
    let ask = Ask {
        operation,
        path: &asked.request.path,
        data: Some(&asked.request.data),
        wrap_ttl: asked.request.wrap_ttl,
        needs_sudo: false,
    };
    if asked.acl.decide(&ask).allowed { Ok(()) } else { Err(Error::permission_denied()) }
}

/// Answers a request on an engine's mount.
pub(crate) async fn engine(vault: &Arc<Vault>, asked: Asked<'_>) -> Result<Response> {
    let engine = vault.engine(&asked.mount).await?;
    let description = engine.describe(&asked.mount.path, &asked.mount.options()).await?;
    let found = description.find(asked.rest);
    let upsert = asked.request.operation == Operation::Update && found.as_ref().is_some_and(|(r, _)| r.upsert);
    let (creates, updates) =
        if upsert { asked.acl.could_create_or_update(&asked.request.path) } else { (false, false) };
    // The answer does not depend on what is there where the caller may do both, or neither: no existence check then.
    let gated = upsert && creates != updates;
    if !gated {
        allow(&asked, asked.request.operation)?;
    }
    let Some((route, params)) = found else {
        return Err(Error::new(ErrorKind::UnsupportedPath, "unsupported path"));
    };
    if !serves(route, asked.request.operation) {
        return Err(Error::new(ErrorKind::UnsupportedOperation, "unsupported operation"));
    }
    let checked = fields::check(route, &params, &asked.request.data)?;
    if matches!(asked.request.operation, Operation::Create | Operation::Update) {
        fields::require(route, &checked.fields)?;
    }
    if let Some(response) = crate::pool::take(vault, &asked, engine.digest()).await? {
        return Ok(response);
    }
    let routed = Routed { engine, description: description.clone(), route, params, checked };
    run(vault, &asked, &routed, gated).await
}

pub(crate) fn serves(route: &Route, operation: Operation) -> bool {
    route.operations.contains(&operation)
        || (operation == Operation::Update && route.operations.contains(&Operation::Create))
}

async fn run(vault: &Arc<Vault>, asked: &Asked<'_>, routed: &Routed<'_>, gated: bool) -> Result<Response> {
    let fields = fields_text(&routed.checked)?;
    let question = question(asked, routed, &fields);
    if let Some(question) = question
        && let Some(reply) = vault.remembered.find(&vault.storage, question).await?
    {
        return respond(asked, routed, reply);
    }
    for _ in 0..RUNS_MAX {
        let prepared = prepare(vault, asked, routed).await?;
        let done = call(vault, asked, routed, gated, prepared.access.clone(), fields.clone()).await?;
        match done.value {
            Outcome::Issue(plan) => {
                if prepared.access.is_some() {
                    return Err(broken(&*routed.engine, &asked.mount, "a plan in a call with network"));
                }
                let order = crate::issue::Order {
                    mount: &asked.mount,
                    path: &asked.request.path,
                    request_id: &asked.request.id,
                    engine: &routed.engine,
                    description: &routed.description,
                    whose: crate::issue::For::Token(&asked.token),
                };
                match crate::issue::issue(vault, order, plan, done.changes).await {
                    Err(IssueError::Stale) => continue,
                    Err(IssueError::Failed(e) | IssueError::Taken(e)) => return Err(e),
                    Ok(response) => return Ok(response),
                }
            }
            Outcome::Reply(reply) => {
                let batch = prepared.batch(vault, asked).await?;
                if vault.commit(&asked.mount, &done.changes, prepared.access.as_ref(), batch).await? {
                    cofferdam_failpoints::point!("config.committed");
                    prepared.after(vault, asked).await;
                    if let Some(question) = question {
                        vault.remembered.keep(question, &reply, &done.changes);
                    }
                    if !done.changes.is_empty() {
                        vault.pools.changed(&asked.mount.uuid);
                    }
                    return respond(asked, routed, reply);
                }
            }
            Outcome::Rotate(slot) => {
                if !vault.commit(&asked.mount, &done.changes, prepared.access.as_ref(), Batch::default()).await? {
                    continue;
                }
                let data = crate::rotate::rotate(vault, &asked.mount, &slot).await?;
                vault.pools.changed(&asked.mount.uuid);
                return respond(asked, routed, Reply { data, ..Reply::default() });
            }
            Outcome::Keep(keeping) => {
                let access = prepared.access.as_ref();
                let (engine, mount) = (&*routed.engine, &asked.mount);
                if let Some(answer) = crate::kept::keep(vault, engine, mount, access, keeping, &done.changes).await? {
                    return Ok(answer);
                }
            }
        }
    }
    Err(Error::unavailable("the entries changed again and again while this was being written; try again"))
}

/// What a read without a network asks, where answers may be given again.
fn question<'a>(asked: &'a Asked<'_>, routed: &'a Routed<'_>, fields: &'a str) -> Option<Question<'a>> {
    let reads = asked.request.operation == Operation::Read && routed.route.backend.is_none();
    let may = reads && !asked.mount.config.force_no_cache;
    may.then(|| Question { mount: &asked.mount, digest: routed.engine.digest(), path: asked.rest, fields })
}

/// The network of the route's backend, with an address that this very request configures already staged.
struct Prepared {
    backend: Option<String>,
    access: Option<BackendAccess>,
    staged: Option<Staged>,
    /// What this request allows the backend from now on.
    connections: Option<ConnectionLimits>,
    retires: bool,
}

async fn prepare(vault: &Vault, asked: &Asked<'_>, routed: &Routed<'_>) -> Result<Prepared> {
    let Some(template) = &routed.route.backend else {
        return Ok(Prepared { backend: None, access: None, staged: None, connections: None, retires: false });
    };
    let backend = resolve(template, &routed.params);
    let looks = matches!(asked.request.operation, Operation::Read | Operation::List);
    if !looks {
        vault.fence.check()?;
    }
    let pattern = routed.route.pattern.as_str();
    let (new, connections) = match asked.request.operation {
        Operation::Create | Operation::Update | Operation::Patch => {
            let fields = &routed.checked.fields;
            (routed.engine.target(pattern, fields)?, routed.engine.connections(pattern, fields)?)
        }
        _ => (None, None),
    };
    let staged = match new {
        Some(new) => {
            let token = &asked.token.record;
            let writer = Writer {
                by: format!("{} ({})", token.display_name, token.accessor),
                path: asked.request.path.clone(),
                at: vault.clock.now(),
            };
            // An empty secret says nothing: an engine may take it for "as before".
            let sent = |field: &str| routed.checked.fields.get(field).is_some_and(|v| !v.is_null() && v != "");
            let uuid = &asked.mount.uuid;
            Some(vault.targets.stage(uuid, &backend, new, sent, asked.has_sudo(), writer).await?)
        }
        None => None,
    };
    let mut access = match &staged {
        Some(staged) => vault.targets.open(&asked.mount, &backend, Some(staged.target().clone())).await?,
        None => vault.targets.access(&asked.mount, &backend).await?,
    };
    let connections = connections.map(|new| new.or(access.connections));
    access.connections = connections.unwrap_or(access.connections);
    if vault.fence.reason().is_some() {
        // What lies here may be read; the backend itself is out of reach.
        access.grants.clear();
    }
    let retires = asked.request.operation == Operation::Delete && routed.engine.names_targets(pattern);
    Ok(Prepared { backend: Some(backend), access: Some(access), staged, connections, retires })
}

impl Prepared {
    /// What is committed with the call's own changes: address and grant together with the entries that they go with.
    async fn batch(&self, vault: &Vault, asked: &Asked<'_>) -> Result<Batch> {
        let Some(backend) = &self.backend else { return Ok(Batch::default()) };
        let uuid = &asked.mount.uuid;
        let mut batch = match &self.staged {
            Some(staged) => Targets::commit(uuid, backend, staged)?,
            None if self.retires => vault.targets.retire(uuid, backend).await?,
            None => Batch::default(),
        };
        if let Some(limits) = self.connections {
            batch.ops.push(Targets::put_connections(uuid, backend, limits)?);
        }
        Ok(batch)
    }

    /// What is kept only for leases goes if there are none.
    async fn after(&self, vault: &Vault, asked: &Asked<'_>) {
        let Some(backend) = &self.backend else { return };
        let current = || self.access.as_ref().and_then(|a| a.target.as_ref()).map(|t| t.generation);
        let replaced = self.staged.as_ref().and_then(|staged| staged.replaces);
        let Some(generation) = replaced.or_else(|| current().filter(|_| self.retires)) else { return };
        vault.release_target(&asked.mount, backend, generation).await;
    }
}

async fn call(
    vault: &Vault,
    asked: &Asked<'_>,
    routed: &Routed<'_>,
    gated: bool,
    access: Option<BackendAccess>,
    fields: String,
) -> Result<Done<Outcome>> {
    let operation = asked.request.operation;
    let request = engine_request(operation, asked.rest, routed.route, routed.params.clone(), fields);
    let deadline = if access.is_some() { BACKEND_DEADLINE } else { LOCAL_DEADLINE };
    let mut call = vault.call(&asked.mount, &asked.request.id, Some(&asked.token), access, deadline, Lane::Serve);
    let sensitive = routed.route.fields.iter().filter(|f| f.sensitive);
    call.secrets.extend(
        sensitive
            .filter_map(|f| routed.checked.fields.get(&f.name)?.as_str())
            .filter(|s| !s.is_empty())
            .map(cofferdam_model::SecretText::new),
    );
    let gate = Gate { asked };
    let gate = gated.then_some(&gate as &dyn ExistsGate);
    routed.engine.handle(call, request, gate).await.map_err(|e| client_error(e, operation))
}

/// The request as the engine sees it.
pub(crate) fn engine_request(
    operation: Operation,
    path: &str,
    route: &Route,
    params: Vec<(String, String)>,
    fields: String,
) -> EngineRequest {
    EngineRequest { operation, path: path.to_owned(), route: route.pattern.as_str().to_owned(), params, fields }
}

/// The fields as the engine sees them.
pub(crate) fn fields_text(checked: &Checked) -> Result<String> {
    serde_json::to_string(&checked.fields).map_err(|e| Error::internal(format!("fields of a request: {e}")))
}

/// What the client learns of a failed `handle`.
fn client_error(error: CallError, operation: Operation) -> Error {
    match error {
        CallError::Fault(e) | CallError::Host(e) | CallError::NotStarted(e) => e,
        CallError::Failure(Failure { cause, message, .. }) => match cause {
            Cause::Missing if matches!(operation, Operation::Read | Operation::List) && message.is_empty() => {
                Error::not_found()
            }
            Cause::Missing | Cause::Invalid | Cause::Unsupported | Cause::Conflict => Error::invalid(message),
            Cause::Throttled => Error::new(ErrorKind::Throttled, message),
            Cause::Denied | Cause::Unreachable | Cause::Refused | Cause::Dependent | Cause::Internal => {
                Error::backend(message)
            }
        },
    }
}

fn respond(asked: &Asked<'_>, routed: &Routed<'_>, reply: Reply) -> Result<Response> {
    let data = match reply.data {
        Some(text) => Some(
            serde_json::value::RawValue::from_string(text)
                .map_err(|e| broken(&*routed.engine, &asked.mount, &format!("broken JSON: {e}")))?,
        ),
        None => None,
    };
    let duration = reply.lease_duration.unwrap_or(0);
    let mut response = Response {
        data,
        warnings: reply.warnings,
        lease: LeaseInfo { duration, ..LeaseInfo::default() },
        status: reply.status,
        ..Response::default()
    };
    if !response.is_empty() {
        warn_of_fields(&mut response, asked.request, &routed.checked);
    }
    Ok(response)
}

/// Says which parameters had no effect, where there is an answer to say it in.
pub(crate) fn warn_of_fields(response: &mut Response, request: &Request, checked: &Checked) {
    if !request.has_body {
        return;
    }
    if !checked.unknown.is_empty() {
        let names = checked.unknown.join(" ");
        response.warnings.push(format!("Endpoint ignored these unrecognized parameters: [{names}]"));
    }
    if !checked.replaced.is_empty() {
        let names = checked.replaced.join(" ");
        response.warnings.push(format!(
            "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [{names}]"
        ));
    }
}

/// `{param}` or literal text.
fn resolve(template: &str, params: &[(String, String)]) -> String {
    let param = template.strip_prefix('{').and_then(|t| t.strip_suffix('}'));
    match param.and_then(|p| params.iter().find(|(name, _)| name == p)) {
        Some((_, value)) => value.clone(),
        None => template.to_owned(),
    }
}

/// An engine that breaks the contract with an answer, in a way that only shows here. Reviewers are told too.
pub(crate) fn broken(engine: &dyn Engine, mount: &MountEntry, answer: &str) -> Error {
    engine.blame(&mount.path, answer);
    Error::backend(format!("engine {} at {}: it answered with {answer}", mount.kind, mount.path))
}
