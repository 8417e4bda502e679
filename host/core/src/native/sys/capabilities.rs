//! `sys/capabilities*`: what a token may do at a path.

use std::sync::Arc;

use cofferdam_acl::Acl;
use cofferdam_model::route::FieldKind::{CommaList, Text};
use cofferdam_model::{Error, Response, Result};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::native::{Ctx, Routes};

const PATHS: [(&str, cofferdam_model::route::FieldKind, &str); 2] =
    [("paths", CommaList, "The paths."), ("path", CommaList, "The old name of paths.")];

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("capabilities-self", "What the caller may do at some paths.")
        .fields(&PATHS)
        .write(own)
        .route("capabilities", "What a token may do at some paths.")
        .fields(&PATHS)
        .field("token", Text, "The token.")
        .write(given)
        .route("capabilities-accessor", "What the token of an accessor may do at some paths.")
        .fields(&PATHS)
        .field("accessor", Text, "The accessor.")
        .write(by_accessor)
}

fn own(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move { answer(&ctx, &ctx.asked()?.acl) })
}

fn given(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let id = ctx.text("token");
        if id.is_empty() {
            return Err(Error::invalid("token: missing"));
        }
        let token = ctx.vault.tokens.lookup(id).await?.ok_or_else(|| Error::invalid("invalid token"))?;
        let acl = acl(&ctx, &token.record.policies).await?;
        answer(&ctx, &acl)
    })
}

fn by_accessor(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let token = ctx.vault.tokens.by_accessor(ctx.text("accessor")).await?;
        let token = token.ok_or_else(|| Error::invalid("invalid accessor"))?;
        let acl = acl(&ctx, &token.record.policies).await?;
        answer(&ctx, &acl)
    })
}

async fn acl(ctx: &Ctx<'_>, policies: &[String]) -> Result<Arc<Acl>> {
    ctx.vault.acls.of(policies, &ctx.vault.policies, ctx.vault.clock.now()).await
}

fn answer(ctx: &Ctx<'_>, acl: &Acl) -> Result<Response> {
    let mut paths = ctx.list("paths");
    if paths.is_empty() {
        paths = ctx.list("path");
    }
    if paths.is_empty() {
        return Err(Error::invalid("paths was not supplied"));
    }
    let mut data = Map::new();
    for path in &paths {
        data.insert(path.clone(), json!(acl.capabilities(path)));
    }
    if let [only] = paths.as_slice() {
        let capabilities = data.get(only).cloned().unwrap_or(Value::Null);
        data.insert("capabilities".to_owned(), capabilities);
    }
    Ok(Response { copy_to_top: true, ..Response::with_data(data) })
}
