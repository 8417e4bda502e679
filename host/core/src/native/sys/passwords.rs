//! `sys/policies/password`.

use cofferdam_model::route::FieldKind::Text;
use cofferdam_model::{Error, ErrorKind, Response, Result};
use futures::future::BoxFuture;
use serde_json::json;

use crate::native::{Ctx, Routes};

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("policies/password/", "Lists the password policies.")
        .list(list)
        .route("policies/password/{name}", "Reads, writes or deletes a password policy.")
        .field("policy", Text, "length and charset rules, as HCL or JSON, perhaps in base64.")
        .read(read)
        .write(write)
        .delete(delete)
        .route("policies/password/{name}/generate", "A password by this policy.")
        .read(generate)
}

fn list(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move { Ok(Response::with_keys(ctx.vault.passwords.names().await?)) })
}

async fn text(ctx: &Ctx<'_>) -> Result<String> {
    let text = ctx.vault.passwords.text(ctx.param("name")).await?;
    text.ok_or_else(|| Error::new(ErrorKind::NotFound, "policy does not exist"))
}

fn read(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move { Ok(Response::with_value(&json!({ "policy": text(&ctx).await? }))) })
}

fn write(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        if ctx.text("policy").is_empty() {
            return Err(Error::invalid("missing policy"));
        }
        ctx.vault.passwords.put(ctx.param("name"), ctx.text("policy")).await?;
        Ok(Response::empty())
    })
}

fn delete(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        ctx.vault.passwords.delete(ctx.param("name")).await?;
        Ok(Response::empty())
    })
}

fn generate(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        text(&ctx).await?;
        let password = ctx.vault.passwords.generate(Some(ctx.param("name"))).await.map_err(Error::internal)?;
        Ok(Response::with_value(&json!({ "password": password.expose() })))
    })
}
