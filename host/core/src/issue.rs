//! A plan becomes a credential: clamped, written into the ledger, made.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_leases::{Intent, IssueError, Limits, Make, clamp};
use cofferdam_model::engine::{Lane, Plan};
use cofferdam_model::view::Changes;
use cofferdam_model::{Error, LeaseInfo, Response};

use crate::dispatch::{Asked, Routed, broken};
use crate::spaces;
use crate::targets::identity;
use crate::vault::Vault;

const OBJECT_BYTES_MAX: usize = 512;

pub(crate) async fn issue(
    vault: &Arc<Vault>,
    asked: &Asked<'_>,
    routed: &Routed<'_>,
    plan: Plan,
    changes: Changes,
) -> Result<Response, IssueError> {
    vault.fence.check()?;
    let mount = asked.mount.clone();
    let Some(kind) = routed.description.kind(&plan.kind).cloned() else {
        return Err(broken(
            &mount,
            &format!("planned a credential of kind {:?}, which it does not describe", plan.kind),
        )
        .into());
    };
    if plan.object.is_empty() || plan.object.len() > OBJECT_BYTES_MAX || plan.object.contains('\0') {
        return Err(broken(&mount, "planned an object without a usable name").into());
    }
    if asked.token.uses_left == Some(1) {
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
    let carry = plan.carry.clone();
    let renewable = plan.ttl.renewable;
    let intent = Intent {
        path: asked.request.path.clone(),
        gates: vec![mount.gate(), spaces::target_gate(&mount.uuid, &plan.backend, generation)],
        generation,
        identity: identity(&mount.uuid, &access),
        token: Some(asked.token.digest.clone()),
        digest: routed.engine.digest().to_owned(),
        ttl: clamped.ttl,
        creates_within: kind.creates_within,
        settles_after: kind.settles_after,
        ends_itself: kind.ends_itself,
        changes,
        mount: mount.uuid.clone(),
        plan,
    };
    let engine = routed.engine.clone();
    let deadline = Duration::from_secs(kind.creates_within);
    let mut call = vault.call(&mount, &asked.request.id, Some(&asked.token), Some(access), deadline, Lane::Serve);
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
