//! `sys/seal`.

use cofferdam_model::{Response, Result};
use futures::future::BoxFuture;

use crate::native::{Ctx, Routes};

pub(super) fn routes(table: Routes) -> Routes {
    table.route("seal", "Seals the server: wipes the keys, serves nothing until it is unsealed.").sudo().write(seal)
}

fn seal(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        // Sealing waits for the requests under way, of which this is one: it goes on after the answer.
        let core = ctx.core.clone();
        tokio::spawn(async move { core.seal().await });
        while ctx.core.unsealed().await.is_some() {
            tokio::task::yield_now().await;
        }
        Ok(Response::empty())
    })
}
