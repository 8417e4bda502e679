//! Between the contract's leases and the client: create, renew, revoke.

use std::time::Duration;

use engine_sdk::types::{Cause, Ended, Failure, Handle, Issued, Lease, Renewed, from_json, to_json};
use engine_sdk::{Context, failure};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::{self, Endpoint, Error, Fence, Identity, Root};
use crate::config;
use crate::statements::{self, Later, Values};

/// The kind of credential.
pub(crate) const KIND: &str = "user";
/// The format of handles.
pub(crate) const HANDLE_FORMAT: u32 = 1;
/// What a call keeps back for its own answer.
const RESERVE: Duration = Duration::from_millis(500);
/// With less time than this, nothing is begun.
const MIN_BUDGET: Duration = Duration::from_millis(500);
/// What one statement may take.
const MAX_PATIENCE: Duration = Duration::from_secs(30);

/// What a handle remembers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Undo {
    pub(crate) username: String,
    /// The user's, once it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) oid: Option<String>,
    /// The database's, as the configuration knew it, or as `create` saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Identity>,
    /// The role's statements as they were.
    pub(crate) later: Later,
}

/// What only `create` gets.
#[derive(Serialize, Deserialize)]
pub(crate) struct Carry {
    pub(crate) password: String,
    /// The server gets a verifier in place of the password.
    pub(crate) hashed: bool,
    pub(crate) creation: Vec<String>,
}

/// The backend of a call.
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    pub(crate) root: Root,
}

impl Backend {
    /// The backend that this call names.
    pub(crate) fn of(ctx: &Context, name: &str) -> Result<Self, Failure> {
        let root =
            ctx.slot(name)?.ok_or_else(|| failure::internal(format!("the connection {name:?} has no secret")))?;
        Ok(Self { endpoint: config::endpoint(ctx)?, root })
    }
}

/// How long this call may still work.
pub(crate) fn budget(ctx: &Context) -> Result<Duration, Failure> {
    let left = ctx.remaining().saturating_sub(RESERVE);
    if left < MIN_BUDGET { Err(failure::throttled("not enough time is left in this call")) } else { Ok(left) }
}

fn fence<'a>(lease: &'a Lease, undo: &'a Undo, budget: Duration) -> Fence<'a> {
    // The server gives up before we do, so that there is an answer.
    let patience = budget.mul_f32(0.8).min(MAX_PATIENCE).as_millis();
    Fence {
        lease_id: &lease.id,
        role: &undo.username,
        stamp: &lease.stamp,
        oid: undo.oid.as_deref().filter(|_| lease.confirmed),
        identity: undo.identity.as_ref(),
        patience: u64::try_from(patience).unwrap_or(u64::MAX),
    }
}

fn undo(handle: &Handle) -> Result<Undo, Failure> {
    match handle.format {
        HANDLE_FORMAT => handle.read(),
        other => Err(failure::internal(format!("cannot read a handle of format {other}"))),
    }
}

/// Makes the user.
pub(crate) fn create(ctx: &Context, intent: &Lease, carry: &str) -> Result<Issued, Failure> {
    // Until the server was asked to commit, nothing can have come into being.
    let (backend, undo, carry, budget) = prepare(ctx, intent, carry).map_err(Failure::untouched)?;
    let secret = secret(&carry).map_err(Failure::untouched)?;
    let values =
        Values { name: &undo.username, password: &secret, expiration: &statements::expiration(intent.expires_at) };
    let script = statements::script(&carry.creation, values);
    let fence = fence(intent, &undo, budget);
    let made = client::run(&backend.endpoint, &backend.root, budget, async |session| {
        client::create(session, &fence, &script, intent.not_after).await
    });
    let made = made.map_err(|error| not_created(error.without(&[&secret, &carry.password])))?;
    let learnt = Undo {
        username: undo.username.clone(),
        oid: Some(made.oid),
        identity: Some(made.identity),
        later: undo.later.clone(),
    };
    Ok(Issued {
        data: to_json(&json!({ "username": undo.username, "password": carry.password }))?,
        warnings: Vec::new(),
        handle: Some(Handle::new(HANDLE_FORMAT, &learnt)?),
    })
}

fn prepare(ctx: &Context, intent: &Lease, carry: &str) -> Result<(Backend, Undo, Carry, Duration), Failure> {
    Ok((Backend::of(ctx, &intent.backend)?, undo(&intent.handle)?, from_json(carry)?, budget(ctx)?))
}

fn not_created(error: Error) -> Failure {
    let untouched = error.untouched;
    let failure = Failure::from(error);
    if untouched { failure.untouched() } else { failure }
}

/// What stands in the place of `{{password}}`.
fn secret(carry: &Carry) -> Result<String, Failure> {
    if carry.hashed { hashed(&carry.password) } else { Ok(carry.password.clone()) }
}

/// The verifier of a password, with a salt of its own.
pub(crate) fn hashed(password: &str) -> Result<String, Failure> {
    let mut salt = [0; 16];
    OsRng.try_fill_bytes(&mut salt).map_err(|error| failure::internal(format!("no randomness: {error}")))?;
    client::verifier(password, &salt).map_err(|error| failure::internal(error.to_string()))
}

/// Lets the user live as long as the lease.
pub(crate) fn renew(ctx: &Context, lease: &Lease) -> Result<Renewed, Failure> {
    const DEFAULT: &str = r#"ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'"#;
    let (backend, undo, budget) = (Backend::of(ctx, &lease.backend)?, undo(&lease.handle)?, budget(ctx)?);
    let renewal = if undo.later.renewal.is_empty() { &[DEFAULT.to_owned()][..] } else { &undo.later.renewal };
    let expiration = statements::expiration(lease.expires_at);
    let script =
        statements::script(renewal, Values { name: &undo.username, expiration: &expiration, ..Values::default() });
    let fence = fence(lease, &undo, budget);
    client::run(&backend.endpoint, &backend.root, budget, async |session| {
        client::renew(session, &fence, &script).await
    })?;
    Ok(Renewed { handle: None, warnings: Vec::new() })
}

/// Ends users, one after the other. If the server cannot be reached for one, the others are not tried.
pub(crate) fn revoke(ctx: &Context, leases: &[Lease]) -> Vec<Result<Ended, Failure>> {
    let mut unreachable: Option<Failure> = None;
    let one = |lease| {
        if let Some(failure) = &unreachable {
            return Err(failure.clone());
        }
        let result = end(ctx, lease);
        unreachable = result.as_ref().err().filter(|failure| failure.cause == Cause::Unreachable).cloned();
        result
    };
    leases.iter().map(one).collect()
}

fn end(ctx: &Context, lease: &Lease) -> Result<Ended, Failure> {
    let (backend, undo, budget) = (Backend::of(ctx, &lease.backend)?, undo(&lease.handle)?, budget(ctx)?);
    let Later { revocation, rollback, .. } = &undo.later;
    let script = if lease.confirmed || rollback.is_empty() { revocation } else { rollback };
    let script = statements::script(script, Values { name: &undo.username, ..Values::default() });
    let fence = fence(lease, &undo, budget);
    let ended = client::run(&backend.endpoint, &backend.root, budget, async |session| {
        client::revoke(session, &fence, &script).await
    });
    Ok(match ended? {
        client::Ended::Removed => Ended::Removed,
        client::Ended::Absent => Ended::Absent,
    })
}
