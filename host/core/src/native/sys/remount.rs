//! `sys/remount`: a mount moves; its uuid, accessor and entries stay.

use cofferdam_model::route::FieldKind::Text;
use cofferdam_model::{Error, Response, Result};
use cofferdam_storage::port::LeaseFilter;
use futures::future::BoxFuture;
use serde_json::json;

use super::mounts::{check_path, folder};
use crate::native::{Ctx, Routes};

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("remount", "Moves a mount. Its leases are revoked. Needs sudo.")
        .sudo()
        .fields(&[("from", Text, "The mount."), ("to", Text, "Where to.")])
        .write(remount)
        .route("remount/status/{id}", "Shows how a move went.")
        .read(status)
}

fn remount(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let (from, to) = (ctx.text("from"), ctx.text("to"));
        for (field, path) in [("from", from), ("to", to)] {
            if path.is_empty() || path.trim() != path {
                return Err(Error::invalid(format!("{field}: must be a path without blanks around it")));
            }
        }
        let (from, to) = (folder("", from.trim_start_matches('/')), folder("", to.trim_start_matches('/')));
        let mount =
            ctx.vault.mounts.at(&from).ok_or_else(|| Error::invalid(format!("from: no matching mount at {from:?}")))?;
        if mount.is_builtin() {
            return Err(Error::invalid(format!("from: cannot move {from:?}")));
        }
        if from.starts_with("auth/") != to.starts_with("auth/") {
            return Err(Error::invalid("to: a secrets engine stays one, and so does an auth method"));
        }
        check_path(&to, to.starts_with("auth/"))?;
        // The lease ids carry the old path: they end with it.
        let moved = ctx.vault.mounts.update(&mount.uuid, |next| {
            next.path.clone_from(&to);
            Ok(())
        });
        moved.await?;
        let leases = LeaseFilter { mount: Some(mount.uuid.clone()), ..LeaseFilter::default() };
        ctx.vault.ledger().revoke_all(leases, true, false).await?;
        let id = ctx.vault.moved.record(&from, &to);
        let said = "Mount move has been carried out; its former leases are revoked.";
        Ok(Response { copy_to_top: true, ..Response::with_value(&json!({ "migration_id": id })) }.warn(said))
    })
}

fn status(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let id = ctx.param("id");
        let Some((from, to)) = ctx.vault.moved.of(id) else { return Ok(Response::empty()) };
        Ok(Response::with_value(&json!({
            "migration_id": id,
            "migration_info": { "source_mount": from, "target_mount": to, "status": "success" },
        })))
    })
}
