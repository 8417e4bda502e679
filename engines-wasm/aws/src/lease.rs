//! Between the contract's leases and the client: create, renew, revoke.

use std::time::{Duration, SystemTime};

use engine_sdk::types::{Cause, Ended, Failure, Handle, Issued, Lease, Renewed, from_json, to_json};
use engine_sdk::{Context, failure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::client::{self, Client, Error, Keys, Ours, Recipe, Session};
use crate::creds::SHORTEST;
use crate::place::Regions;
use crate::routes::BACKEND;

/// IAM users, which live until somebody ends them.
pub(crate) const USER: &str = "user";
/// Credentials of STS, which end by themselves.
pub(crate) const SESSION: &str = "session";
/// The format of handles.
pub(crate) const HANDLE_FORMAT: u32 = 1;
/// What a call keeps back for its own answer.
const RESERVE: Duration = Duration::from_secs(1);
/// With less time than this, nothing is begun.
const MIN_BUDGET: Duration = Duration::from_millis(500);
const NOT_READY: &str = "AWS does not accept the new key yet; it may take some seconds more";

/// What a handle remembers.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Undo {
    pub(crate) regions: Regions,
    /// The key of the configuration, which tells the account in which the user was to be made.
    pub(crate) planned_with: String,
    /// The user, once it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<User>,
}

/// A user as AWS knows it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) account: String,
}

/// What only `create` gets.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Carry {
    User(Recipe),
    Session(Session),
}

/// The keys of this call's backend.
pub(crate) fn keys(ctx: &Context) -> Result<Keys, Failure> {
    ctx.slot(BACKEND)?.ok_or_else(|| failure::internal("config/root has no keys"))
}

/// How long this call may still work.
pub(crate) fn budget(ctx: &Context) -> Result<Duration, Failure> {
    let left = ctx.remaining().saturating_sub(RESERVE);
    if left < MIN_BUDGET { Err(failure::throttled("not enough time is left in this call")) } else { Ok(left) }
}

fn undo(handle: &Handle) -> Result<Undo, Failure> {
    match handle.format {
        HANDLE_FORMAT => handle.read(),
        other => Err(failure::internal(format!("cannot read a handle of format {other}"))),
    }
}

/// Makes the user, or opens the session.
pub(crate) fn create(ctx: &Context, intent: &Lease, carry: &str) -> Result<Issued, Failure> {
    let (undo, client, carry) = prepare(ctx, intent, carry).map_err(Failure::untouched)?;
    match carry {
        Carry::User(recipe) => make_user(ctx, intent, undo, &client, &recipe),
        Carry::Session(session) => open_session(ctx, intent, &client, &session),
    }
}

fn prepare(ctx: &Context, intent: &Lease, carry: &str) -> Result<(Undo, Client, Carry), Failure> {
    let undo = undo(&intent.handle)?;
    let left = until(ctx.now(), intent.not_after).saturating_sub(RESERVE);
    let budget = budget(ctx)?.min(left);
    let client = Client::new(&undo.regions.place(ctx)?, &keys(ctx)?, budget);
    Ok((undo, client, from_json(carry)?))
}

fn make_user(ctx: &Context, intent: &Lease, undo: Undo, client: &Client, recipe: &Recipe) -> Result<Issued, Failure> {
    let made = client::run(client::create_user(client, &intent.object, &intent.stamp, recipe)).map_err(not_created)?;
    let warning = if recipe.ready_within > 0 { not_ready(ctx, &undo, &made.keys, recipe.ready_within)? } else { None };
    let learnt = Undo { user: Some(User { id: made.id, account: made.account }), ..undo };
    let data = json!({
        "access_key": made.keys.access_key,
        "secret_key": made.keys.secret_key,
        "security_token": null,
        "session_token": null,
    });
    let warnings = warning.into_iter().collect();
    Ok(Issued { data: to_json(&data)?, warnings, handle: Some(Handle::new(HANDLE_FORMAT, &learnt)?) })
}

/// Waits until AWS knows a new key, and says so if it does not in time. The key is as good as without the wait.
fn not_ready(ctx: &Context, undo: &Undo, keys: &Keys, within: u64) -> Result<Option<String>, Failure> {
    let Ok(budget) = budget(ctx) else { return Ok(Some(NOT_READY.to_owned())) };
    let client = Client::new(&undo.regions.place(ctx)?, keys, budget.min(Duration::from_secs(within)));
    Ok(client::run(client::accepted(&client)).is_err().then(|| NOT_READY.to_owned()))
}

fn open_session(ctx: &Context, intent: &Lease, client: &Client, session: &Session) -> Result<Issued, Failure> {
    let wished = intent.expires_at.saturating_sub(intent.issued_at);
    let opened = client::run(client::open(client, session, wished.max(SHORTEST))).map_err(not_created)?;
    let now = ctx.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut data = json!({
        "access_key": opened.access_key,
        "secret_key": opened.secret_key,
        "security_token": opened.session_token,
        "session_token": opened.session_token,
        "ttl": opened.expires_at.saturating_sub(now),
    });
    if let Some(arn) = opened.arn {
        data["arn"] = arn.into();
    }
    let outlives = wished < SHORTEST;
    let warning = "AWS's sessions live 15 minutes at least: this one outlives its lease".to_owned();
    Ok(Issued { data: to_json(&data)?, warnings: outlives.then_some(warning).into_iter().collect(), handle: None })
}

fn not_created(error: Error) -> Failure {
    let untouched = error.untouched;
    let failure = Failure::from(error);
    if untouched { failure.untouched() } else { failure }
}

/// The time until then.
fn until(now: SystemTime, then: u64) -> Duration {
    (SystemTime::UNIX_EPOCH + Duration::from_secs(then)).duration_since(now).unwrap_or_default()
}

/// A user has no end of its own: there is nothing to do in AWS.
pub(crate) fn renew() -> Renewed {
    Renewed { handle: None, warnings: Vec::new() }
}

/// Ends users, one after the other. If AWS cannot be reached for one, the others are not tried.
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
    if lease.kind == SESSION {
        return Ok(Ended::Removed);
    }
    let (undo, keys) = (undo(&lease.handle)?, keys(ctx)?);
    let client = Client::new(&undo.regions.place(ctx)?, &keys, budget(ctx)?);
    let user = undo.user.as_ref().filter(|_| lease.confirmed);
    let ours = Ours {
        stamp: &lease.stamp,
        id: user.map(|user| user.id.as_str()),
        account: user.map(|user| user.account.as_str()),
        planned_with: &undo.planned_with,
        signed_with: &keys.access_key,
    };
    Ok(match client::run(client::end_user(&client, &lease.object, &ours))? {
        client::Ended::Removed => Ended::Removed,
        client::Ended::Absent => Ended::Absent,
    })
}
