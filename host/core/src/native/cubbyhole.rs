//! Every token's private store. Gone with the token.

use std::sync::OnceLock;

use cofferdam_model::{Error, Response, Result};
use cofferdam_storage::port::{Batch, Check, Op, Outcome};
use futures::future::BoxFuture;
use serde_json::value::RawValue;

use super::{Ctx, NativeRoute, Routes};
use crate::spaces;

pub(super) fn routes() -> &'static [NativeRoute] {
    static ROUTES: OnceLock<Vec<NativeRoute>> = OnceLock::new();
    ROUTES.get_or_init(|| {
        Routes::default()
            .route("{path*}", "Pass-through secret storage, private to the token that asks.")
            .open_fields()
            .read(read)
            .write(write)
            .delete(delete)
            .list(list)
            .done()
    })
}

fn read(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let space = spaces::cubbyhole(&ctx.asked()?.token.digest);
        let key = ctx.param("path");
        if key.is_empty() {
            return Ok(Response::empty());
        }
        let Some(entry) = ctx.vault.storage.entry(&space, key).await? else { return Ok(Response::empty()) };
        let text = String::from_utf8(entry.value).map_err(|_| Error::internal("a cubbyhole entry does not read"))?;
        let data = RawValue::from_string(text).map_err(|_| Error::internal("a cubbyhole entry does not read"))?;
        Ok(Response { data: Some(data), ..Response::default() })
    })
}

fn write(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let digest = ctx.asked()?.token.digest.clone();
        if ctx.fields.is_empty() {
            return Err(Error::invalid("missing data fields"));
        }
        let key = usable(ctx.param("path"))?;
        let value = serde_json::to_vec(&ctx.fields).map_err(|e| Error::internal(format!("cubbyhole: {e}")))?;
        let batch = Batch {
            checks: vec![Check::TokenLive { digest: digest.clone(), now: ctx.vault.clock.now() }],
            ops: vec![Op::PutEntry { space: spaces::cubbyhole(&digest), key, value }],
        };
        match ctx.vault.storage.apply(batch).await? {
            Outcome::Applied => Ok(Response::empty()),
            Outcome::Conflict(_) => Err(Error::bad_token()),
        }
    })
}

fn delete(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let space = spaces::cubbyhole(&ctx.asked()?.token.digest);
        let ops = vec![Op::DeleteEntry { space, key: ctx.param("path").to_owned() }];
        ctx.vault.storage.apply(Batch { checks: Vec::new(), ops }).await?;
        Ok(Response::empty())
    })
}

fn list(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        const KEYS_MAX: usize = 10_000;
        let space = spaces::cubbyhole(&ctx.asked()?.token.digest);
        Ok(Response::with_keys(ctx.vault.storage.names(&space, ctx.param("path"), None, KEYS_MAX).await?))
    })
}

fn usable(key: &str) -> Result<String> {
    const BYTES_MAX: usize = 1_024;
    if key.is_empty() || key.len() > BYTES_MAX || key.contains('\0') {
        return Err(Error::invalid("path: must be 1 to 1024 bytes, without NUL"));
    }
    Ok(key.to_owned())
}
