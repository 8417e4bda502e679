//! `sys/fence`: whether this store may act on backends, and an operator's word that it may.

use cofferdam_model::route::FieldKind::Boolean;
use cofferdam_model::{Error, Response, Result};
use futures::future::BoxFuture;
use serde_json::json;

use crate::native::{Ctx, Routes};

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("fence", "Whether this server is fenced, and lifting the fence. Needs sudo.")
        .sudo()
        .field("only_copy", Boolean, "No other copy of this store is in use: from now on this one acts on backends.")
        .read(show)
        .write(lift)
}

fn show(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let reason = ctx.vault.fence.reason();
        Ok(Response::with_value(&json!({ "fenced": reason.is_some(), "reason": reason.unwrap_or_default() })))
    })
}

fn lift(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        if !ctx.flag("only_copy", false) {
            return Err(Error::invalid("only_copy: must be true: say that no other copy of this store is in use"));
        }
        let reason = ctx.vault.fence.reason().unwrap_or("it was not fenced");
        ctx.vault.fence.lift().await?;
        let by = &ctx.asked()?.token.record.accessor;
        tracing::warn!(target: "audit", by, request = ctx.request.id, reason, "the fence is lifted");
        Ok(Response::empty())
    })
}
