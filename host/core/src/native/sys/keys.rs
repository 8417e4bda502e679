//! `sys/key-status` and `sys/rotate`: the barrier's key.

use cofferdam_model::{Response, Result};
use futures::future::BoxFuture;
use serde_json::json;

use crate::native::{Ctx, Routes};

pub(super) fn routes(table: Routes) -> Routes {
    table.route("key-status", "Shows the term of the key that new entries are encrypted with.").read(status)
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
