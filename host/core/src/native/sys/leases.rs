//! `sys/leases`.

use cofferdam_model::route::FieldKind::{Boolean, Seconds, Text};
use cofferdam_model::{Error, LeaseInfo, Response, Result};
use cofferdam_storage::port::{LeaseFilter, LeaseState};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::native::{Ctx, Routes};

const ID: (&str, cofferdam_model::route::FieldKind, &str) = ("lease_id", Text, "The lease.");
const SYNC: (&str, cofferdam_model::route::FieldKind, &str) =
    ("sync", Boolean, "Answers when the credentials are gone; true if not given.");
const INCREMENT: (&str, cofferdam_model::route::FieldKind, &str) = ("increment", Seconds, "How long from now.");

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("leases/lookup", "Shows a lease.")
        .fields(&[ID])
        .write(lookup)
        .route("leases/lookup/{prefix*}", "Lists leases. Needs sudo.")
        .sudo()
        .list(list)
        .route("leases/renew", "Renews a lease.")
        .fields(&[ID, INCREMENT])
        .write(renew)
        .route("leases/renew/{url_lease_id*}", "Renews a lease.")
        .fields(&[ID, INCREMENT])
        .write(renew)
        .route("renew", "Renews a lease.")
        .fields(&[ID, INCREMENT])
        .write(renew)
        .route("renew/{url_lease_id*}", "Renews a lease.")
        .fields(&[ID, INCREMENT])
        .write(renew)
        .route("leases/revoke", "Revokes a lease.")
        .fields(&[ID, SYNC])
        .write(revoke)
        .route("leases/revoke/{url_lease_id*}", "Revokes a lease.")
        .fields(&[ID, SYNC])
        .write(revoke)
        .route("revoke", "Revokes a lease.")
        .fields(&[ID, SYNC])
        .write(revoke)
        .route("revoke/{url_lease_id*}", "Revokes a lease.")
        .fields(&[ID, SYNC])
        .write(revoke)
        .route("leases/revoke-prefix/{prefix*}", "Revokes all leases below a path. Needs sudo.")
        .sudo()
        .fields(&[SYNC])
        .write(revoke_prefix)
        .route("revoke-prefix/{prefix*}", "Revokes all leases below a path. Needs sudo.")
        .sudo()
        .fields(&[SYNC])
        .write(revoke_prefix)
        .route("leases/revoke-force/{prefix*}", "Revokes, and forgets what cannot be revoked. Needs sudo.")
        .sudo()
        .write(revoke_force)
        .route("revoke-force/{prefix*}", "Revokes, and forgets what cannot be revoked. Needs sudo.")
        .sudo()
        .write(revoke_force)
        .route("leases/tidy", "Answers that nothing needs tidying.")
        .write(tidy)
        .route("leases/count", "Counts leases that cannot be revoked.")
        .fields(&[("type", Text, "irrevocable."), ("include_child_namespaces", Boolean, "Without effect.")])
        .read(count)
        .route("leases", "Lists leases that cannot be revoked. Needs sudo.")
        .sudo()
        .fields(&[
            ("type", Text, "irrevocable."),
            ("limit", Text, "How many; none: all."),
            ("include_child_namespaces", Boolean, "Without effect."),
        ])
        .read(stuck)
}

/// The lease that a request names, in the body or in the path.
fn lease_id<'a>(ctx: &'a Ctx<'_>) -> Result<&'a str> {
    let id = match ctx.text("lease_id") {
        "" => ctx.param("url_lease_id"),
        id => id,
    };
    if id.is_empty() { Err(Error::invalid("lease_id must be specified")) } else { Ok(id) }
}

fn lookup(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let lease = ctx.vault.ledger().get(lease_id(&ctx)?).await?;
        let now = ctx.vault.clock.now();
        // What is on its way out no longer exists for clients, unless it is stuck and somebody must see why.
        let shown = lease.filter(|l| match l.state {
            LeaseState::Active => l.record.expires_at > now,
            LeaseState::Blocked => true,
            _ => l.record.last_error.is_some(),
        });
        let lease = shown.ok_or_else(|| Error::invalid("invalid lease"))?;
        let mut data = json!({
            "id": lease.id,
            "path": lease.record.path,
            "issue_time": lease.record.issued_at.rfc3339(),
            "expire_time": lease.record.expires_at.rfc3339(),
            "last_renewal": lease.record.last_renewal.map(|t| t.rfc3339()),
            "renewable": lease.record.renewable && lease.state == LeaseState::Active && lease.record.shelved.is_none(),
            "ttl": lease.record.expires_at.seconds_since(now),
        });
        if let Some(error) = &lease.record.last_error {
            data["revoke_error"] = json!(error);
        }
        Ok(Response::with_value(&data))
    })
}

fn list(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        const NAMES_MAX: usize = 100_000;
        let names = ctx.vault.ledger().names(ctx.param("prefix"), None, NAMES_MAX).await?;
        Ok(Response::with_keys(names))
    })
}

fn renew(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        ctx.vault.fence.check()?;
        let id = lease_id(&ctx)?;
        let ledger = ctx.vault.ledger();
        let lease = ledger.active(id).await?.ok_or_else(|| Error::invalid("lease not found"))?;
        let mount = ctx.vault.mounts.find(&lease.mount)?.ok_or_else(|| Error::invalid("lease not found"))?;
        let (default_ttl, max_ttl) = mount.ttls(ctx.vault.system_ttls());
        let renewed = ledger.renew(id, ctx.seconds("increment"), default_ttl, max_ttl).await?;
        Ok(Response {
            lease: LeaseInfo { id: renewed.lease.id, duration: renewed.ttl, renewable: renewed.lease.record.renewable },
            warnings: renewed.warnings,
            ..Response::default()
        })
    })
}

fn queued(sync: bool) -> Response {
    Response { status: (!sync).then_some(202), ..Response::empty() }
}

fn revoke(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        ctx.vault.fence.check()?;
        let sync = ctx.flag("sync", true);
        ctx.vault.ledger().revoke(lease_id(&ctx)?, sync).await?;
        Ok(queued(sync))
    })
}

fn revoke_prefix(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let sync = ctx.flag("sync", true);
        revoke_below(&ctx, sync, false).await?;
        Ok(queued(sync))
    })
}

fn revoke_force(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        revoke_below(&ctx, true, true).await?;
        Ok(Response::empty())
    })
}

/// A prefix without a slash at its end is a lease first, else a folder.
async fn revoke_below(ctx: &Ctx<'_>, sync: bool, force: bool) -> Result<()> {
    ctx.vault.fence.check()?;
    let prefix = ctx.param("prefix");
    if prefix.trim_matches('/').is_empty() {
        return Err(Error::invalid("prefix: must not be empty"));
    }
    let ledger = ctx.vault.ledger();
    if !prefix.ends_with('/') && !force && ledger.get(prefix).await?.is_some() {
        return ledger.revoke(prefix, sync).await;
    }
    let folder = if prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") };
    if force && ledger.holds(prefix).await? {
        let only = LeaseFilter { prefix: Some(prefix.to_owned()), ..LeaseFilter::default() };
        return ledger.revoke_all(only, sync, true).await;
    }
    ledger.revoke_all(LeaseFilter { prefix: Some(folder), ..LeaseFilter::default() }, sync, force).await
}

fn tidy(_ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let said = "Nothing to tidy: a lease is removed when its credential is gone, and no sooner.";
        Ok(Response { status: Some(202), ..Response::empty().warn(said) })
    })
}

fn count(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        if ctx.text("type") != "irrevocable" {
            return Ok(Response::empty());
        }
        let leases = ctx.vault.ledger().stuck().await?;
        let mut counts: Map<String, Value> = Map::new();
        for lease in &leases {
            let accessor = ctx.vault.mounts.by_uuid(&lease.mount).map(|m| m.accessor.clone()).unwrap_or_default();
            let n = counts.get(&accessor).and_then(Value::as_u64).unwrap_or(0);
            counts.insert(accessor, (n + 1).into());
        }
        Ok(Response::with_value(&json!({ "lease_count": leases.len(), "counts": counts })))
    })
}

fn stuck(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        if ctx.text("type") != "irrevocable" {
            return Ok(Response::empty());
        }
        let limit = match ctx.text("limit") {
            "" => 10_000,
            "none" => usize::MAX,
            n => n.parse().map_err(|_| Error::invalid("limit: must be a number or none"))?,
        };
        let leases = ctx.vault.ledger().stuck().await?;
        let shown: Vec<Value> = leases
            .iter()
            .take(limit)
            .map(|l| json!({ "lease_id": l.id, "mount_id": l.mount, "error": l.why }))
            .collect();
        Ok(Response::with_value(&json!({ "lease_count": leases.len(), "leases": shown })))
    })
}
