//! A plan becomes a credential: clamped, written into the ledger, made.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_leases::{Intent, IssueError, Limits, Make, Shelf, clamp};
use cofferdam_model::engine::{BackendAccess, Caller, Engine, Lane, Plan};
use cofferdam_model::route::Description;
use cofferdam_model::view::Changes;
use cofferdam_model::{Error, LeaseInfo, Response, Result};
use cofferdam_storage::port::Check;
use cofferdam_tokens::Token;

use crate::dispatch::broken;
use crate::mounts::MountEntry;
use crate::pool::{Pool, shelf};
use crate::spaces;
use crate::targets::identity;
use crate::vault::Vault;

const OBJECT_BYTES_MAX: usize = 512;

/// What is to be made, and for whom.
pub(crate) struct Order<'a> {
    pub(crate) mount: &'a Arc<MountEntry>,
    /// Of the request.
    pub(crate) path: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) engine: &'a Arc<dyn Engine>,
    pub(crate) description: &'a Description,
    pub(crate) whose: For<'a>,
}

/// For whom.
pub(crate) enum For<'a> {
    /// Whoever asks with this token.
    Token(&'a Token),
    /// Nobody yet.
    Stock(Ahead<'a>),
}

/// What is made ahead.
pub(crate) struct Ahead<'a> {
    pub(crate) pool: &'a Pool,
    /// As whom the engine sees the host.
    pub(crate) caller: Caller,
    /// The password policies are those of its plan.
    pub(crate) policies: Check,
}

pub(crate) async fn issue(
    vault: &Arc<Vault>,
    order: Order<'_>,
    plan: Plan,
    changes: Changes,
) -> Result<Response, IssueError> {
    vault.fence.check()?;
    let (mount, engine) = (order.mount.clone(), order.engine.clone());
    let (token, stock) = match order.whose {
        For::Token(token) => (Some(token), None),
        For::Stock(stock) => (None, Some(stock)),
    };
    let Some(kind) = order.description.kind(&plan.kind).cloned() else {
        let answer = format!("a plan of the kind {:?}, which it does not describe", plan.kind);
        return Err(broken(&*engine, &mount, &answer).into());
    };
    if plan.object.is_empty() || plan.object.len() > OBJECT_BYTES_MAX || plan.object.contains('\0') {
        return Err(broken(&*engine, &mount, "a plan for an object without a usable name").into());
    }
    if token.is_some_and(|token| token.uses_left == Some(1)) {
        return Err(Error::invalid(
            "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.",
        )
        .into());
    }
    let access = vault.targets.access(&mount, &plan.backend).await?;
    let Some(generation) = access.target.as_ref().map(|t| t.generation) else {
        let answer = format!("a plan for the backend {:?}, which is not configured", plan.backend);
        return Err(broken(&*engine, &mount, &answer).into());
    };
    let (default_ttl, max_ttl) = mount.ttls(vault.system_ttls());
    let limits = Limits {
        default_ttl,
        max_ttl,
        role_ttl: plan.ttl.ttl.unwrap_or(0),
        role_max_ttl: plan.ttl.max_ttl.unwrap_or(0),
    };
    let clamped = clamp(0, &limits);
    let shelf = match &stock {
        None => None,
        Some(ahead) => Some(place(vault, &mount, ahead, clamped.ttl, &access).await?),
    };
    let carry = plan.carry.clone();
    let renewable = plan.ttl.renewable;
    let intent = Intent {
        path: order.path.to_owned(),
        gates: vec![mount.gate(), spaces::target_gate(&mount.uuid, &plan.backend, generation)],
        generation,
        identity: identity(&mount.uuid, &access),
        token: token.map(|token| token.digest.clone()),
        digest: engine.digest().to_owned(),
        ttl: clamped.ttl,
        creates_within: kind.creates_within,
        settles_after: kind.settles_after,
        ends_itself: kind.ends_itself,
        changes,
        mount: mount.uuid.clone(),
        plan,
        shelf,
    };
    let deadline = Duration::from_secs(kind.creates_within);
    let mut call = vault.call(&mount, order.request_id, token, Some(access), deadline, Lane::Serve);
    if let Some(ahead) = stock {
        call.caller = Some(ahead.caller);
    }
    call.secrets.push(carry.clone());
    let make: Make = Box::new(move |lease| Box::pin(async move { engine.create(call, lease, carry).await }));
    let made = vault.ledger().issue(intent, make).await.inspect_err(|error| {
        if matches!(error, IssueError::Taken(_)) {
            order.engine.blame(&mount.path, "a plan for an object that another live lease holds");
        }
    })?;
    let data = serde_json::value::RawValue::from_string(made.data.expose().to_owned())
        .map_err(|e| Error::internal(format!("a created credential does not read: {e}")))?;
    Ok(Response {
        data: Some(data),
        warnings: clamped.warning.into_iter().chain(made.warnings).collect(),
        lease: LeaseInfo { id: made.lease.id, duration: clamped.ttl, renewable },
        ..Response::default()
    })
}

/// Where what is made ahead waits. It is not handed out when the root secret or a password policy is another one by then
/// (what the plan read of the mount is the ledger's to look at).
async fn place(
    vault: &Vault,
    mount: &MountEntry,
    ahead: &Ahead<'_>,
    ttl: u64,
    access: &BackendAccess,
) -> Result<Shelf> {
    let seconds = shelf(ttl);
    if seconds <= ahead.pool.min_age {
        return Err(Error::invalid(format!(
            "min_age: a credential of {ttl} seconds waits {seconds} seconds at most, and would never be old enough"
        )));
    }
    let secret = vault.targets.same_slot(&mount.uuid, &access.name, access.target.as_ref()).await?;
    Ok(Shelf { folder: ahead.pool.folder(), seconds, conditions: vec![ahead.policies.clone(), secret] })
}
