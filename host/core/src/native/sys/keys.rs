//! `sys/key-status` and `sys/rotate`: the barrier's key.

use cofferdam_model::route::FieldKind::{Boolean, Integer, Seconds};
use cofferdam_model::{Error, Response, Result};
use futures::future::BoxFuture;
use serde_json::json;

use crate::keys::{INTERVAL_MIN, OPERATIONS};
use crate::native::{Ctx, Routes};

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("key-status", "Shows the term of the key that new entries are encrypted with.")
        .read(status)
        .route("rotate", "Encrypts new entries with a new key. Needs sudo.")
        .sudo()
        .write(rotate)
        .route("rotate/keyring", "As rotate. Needs sudo.")
        .sudo()
        .write(rotate)
        .route("rotate/config", "When the key is rotated by itself.")
        .fields(&[
            ("enabled", Boolean, "Whether it is."),
            ("max_operations", Integer, "After so many encryptions."),
            ("interval", Seconds, "After so long, at least 24 hours; 0: however old it is."),
        ])
        .read(config)
        .write(configure)
}

fn status(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let keyring = ctx.vault.storage.keyring()?;
        let info = keyring.info();
        let data = json!({
            "term": info.term,
            "install_time": info.install_time.rfc3339(),
            "encryptions": keyring.encryptions(),
        });
        Ok(Response { copy_to_top: true, ..Response::with_value(&data) })
    })
}

fn rotate(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        ctx.vault.rotate_key().await?;
        Ok(Response::empty())
    })
}

fn config(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let set = ctx.vault.rotation().await?;
        let data = json!({ "enabled": set.enabled, "max_operations": set.max_operations, "interval": set.interval });
        Ok(Response::with_value(&data))
    })
}

fn configure(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let mut set = ctx.vault.rotation().await?;
        set.enabled = ctx.flag("enabled", set.enabled);
        if ctx.has("max_operations") {
            set.max_operations = u64::try_from(ctx.number("max_operations"))
                .ok()
                .filter(|n| OPERATIONS.contains(n))
                .ok_or_else(|| {
                    let (least, most) = (OPERATIONS.start(), OPERATIONS.end());
                    Error::invalid(format!("max_operations: must be from {least} to {most}"))
                })?;
        }
        if ctx.has("interval") {
            set.interval = ctx.seconds("interval");
            if set.interval != 0 && set.interval < INTERVAL_MIN {
                return Err(Error::invalid("interval: must be 0, or at least 24 hours"));
            }
        }
        ctx.vault.set_rotation(set).await?;
        Ok(Response::empty())
    })
}
