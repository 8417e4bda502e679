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
    Stock {
        pool: &'a Pool,
        caller: Caller,
        /// The password policies are those of its plan.
        policies: Check,
    },
}

pub(crate) async fn issue(
    vault: &Arc<Vault>,
    order: Order<'_>,
    plan: Plan,
    changes: Changes,
) -> Result<Response, IssueError> {
    let mount = order.mount.clone();
    let Some(kind) = order.description.kind(&plan.kind).cloned() else {
        return Err(broken(
            &mount,
            &format!("planned a credential of kind {:?}, which it does not describe", plan.kind),
        )
        .into());
    };
    if plan.object.is_empty() || plan.object.len() > OBJECT_BYTES_MAX || plan.object.contains('\0') {
        return Err(broken(&mount, "planned an object without a usable name").into());
    }
    if let For::Token(token) = order.whose
        && token.uses_left == Some(1)
    {
        return Err(Error::invalid(
            "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.",
        )
        .into());
    }
    let access = vault.targets.access(&mount, &plan.backend).await?;
    let Some(generation) = access.target.as_ref().map(|t| t.generation) else {
        return Err(Error::backend(format!("unknown connection {:?}", plan.backend)).into());
    };
    let (default_ttl, max_ttl) = mount.ttls(vault.system_ttls());
    let limits = Limits {
        default_ttl,
        max_ttl,
        role_ttl: plan.ttl.ttl.unwrap_or(0),
        role_max_ttl: plan.ttl.max_ttl.unwrap_or(0),
    };
    let clamped = clamp(0, &limits);
    let shelf = match &order.whose {
        For::Token(_) => None,
        For::Stock { pool, policies, .. } => {
            Some(place(vault, &mount, pool, clamped.ttl, &access, policies.clone()).await?)
        }
    };
    let carry = plan.carry.clone();
    let renewable = plan.ttl.renewable;
    let intent = Intent {
        path: order.path.to_owned(),
        gates: vec![mount.gate(), spaces::target_gate(&mount.uuid, &plan.backend, generation)],
        generation,
        identity: identity(&mount.uuid, &access),
        token: match order.whose {
            For::Token(token) => Some(token.digest.clone()),
            For::Stock { .. } => None,
        },
        digest: order.engine.digest().to_owned(),
        ttl: clamped.ttl,
        creates_within: kind.creates_within,
        settles_after: kind.settles_after,
        ends_itself: kind.ends_itself,
        changes,
        mount: mount.uuid.clone(),
        plan,
        shelf,
    };
    let engine = order.engine.clone();
    let deadline = Duration::from_secs(kind.creates_within);
    let token = match order.whose {
        For::Token(token) => Some(token),
        For::Stock { .. } => None,
    };
    let mut call = vault.call(&mount, order.request_id, token, Some(access), deadline, Lane::Serve);
    if let For::Stock { caller, .. } = order.whose {
        call.caller = Some(caller);
    }
    call.secrets.push(carry.clone());
    let make: Make = Box::new(move |lease| Box::pin(async move { engine.create(call, lease, carry).await }));
    let made = vault.ledger().issue(intent, make).await?;
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
    pool: &Pool,
    ttl: u64,
    access: &BackendAccess,
    policies: Check,
) -> Result<Shelf> {
    let seconds = shelf(ttl);
    if seconds <= pool.min_age {
        return Err(Error::invalid(format!(
            "min_age: a credential of {ttl} seconds waits {seconds} seconds at most, and would never be old enough"
        )));
    }
    let secret = vault.targets.same_slot(&mount.uuid, &access.name, access.target.as_ref()).await?;
    Ok(Shelf { folder: pool.folder(), seconds, conditions: vec![policies, secret] })
}
