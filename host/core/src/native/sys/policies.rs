//! `sys/policies/acl` and the older `sys/policy`.

use cofferdam_model::route::FieldKind::Text;
use cofferdam_model::{Error, Response, Result};
use futures::future::BoxFuture;
use serde_json::json;

use crate::native::{Ctx, Routes};

const FIELDS: &[(&str, cofferdam_model::route::FieldKind, &str)] =
    &[("policy", Text, "The rules, as HCL or JSON, perhaps in base64."), ("rules", Text, "The old name of policy.")];

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("policies/acl/", "Lists the ACL policies.")
        .list(list)
        .route("policies/acl", "Lists the ACL policies.")
        .read(list)
        .route("policies/acl/{name*}", "Reads, writes or deletes an ACL policy.")
        .fields(FIELDS)
        .read(read)
        .write(write)
        .delete(delete)
        .route("policy/", "Lists the ACL policies.")
        .list(list_old)
        .route("policy", "Lists the ACL policies.")
        .read(list_old)
        .route("policy/{name*}", "Reads, writes or deletes an ACL policy.")
        .fields(FIELDS)
        .read(read_old)
        .write(write)
        .delete(delete)
}

fn list(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move { Ok(Response::with_keys(ctx.vault.policies.names().await?)) })
}

fn list_old(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let names = ctx.vault.policies.names().await?;
        let data = json!({ "keys": names, "policies": names });
        Ok(Response { copy_to_top: true, ..Response::with_value(&data) })
    })
}

fn read(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let name = ctx.param("name").to_lowercase();
        let Some(text) = ctx.vault.policies.text(&name).await? else { return Ok(Response::empty()) };
        Ok(Response::with_value(&json!({ "name": name, "policy": text })))
    })
}

fn read_old(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let name = ctx.param("name").to_lowercase();
        let Some(text) = ctx.vault.policies.text(&name).await? else { return Ok(Response::empty()) };
        let data = json!({ "name": name, "rules": text });
        Ok(Response { copy_to_top: true, ..Response::with_value(&data) })
    })
}

fn write(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let given = ctx.param("name");
        let name = given.to_lowercase();
        if name.is_empty() {
            return Err(Error::invalid("name: the policy's name is missing"));
        }
        let mut response = Response::empty();
        let text = match (ctx.text("policy"), ctx.text("rules")) {
            ("", "") => return Err(Error::invalid("'policy' parameter not supplied or empty")),
            ("", rules) => {
                response = response.warn("'rules' is deprecated, please use 'policy' instead");
                rules
            }
            (policy, _) => policy,
        };
        ctx.vault.policies.put(&name, text).await?;
        if name != given {
            response = response.warn(format!("policy name was converted to lowercase, {name}"));
        }
        Ok(response)
    })
}

fn delete(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        ctx.vault.policies.delete(&ctx.param("name").to_lowercase()).await?;
        Ok(Response::empty())
    })
}
