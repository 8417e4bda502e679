//! `sys/internal/ui`: what the command line and user interfaces ask first.

use std::sync::Arc;

use cofferdam_model::{Error, ErrorKind, Response, Result};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use super::mount_info;
use crate::mounts::MountEntry;
use crate::native::{Ctx, Routes};
use crate::pipeline::authenticate;

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("internal/ui/mounts", "The mounts that the caller can touch.")
        .open()
        .read(mounts)
        .route("internal/ui/mounts/{path*}", "The mount of a path.")
        .open()
        .read(mount)
        .route("internal/ui/resultant-acl", "What the caller may do, whole.")
        .read(resultant)
}

/// The ACL of the caller; none without a valid token.
async fn acl(ctx: &Ctx<'_>) -> Result<Option<Arc<cofferdam_acl::Acl>>> {
    match authenticate(ctx.vault, ctx.request).await {
        Ok(token) => {
            Ok(Some(ctx.vault.acls.of(&token.record.policies, &ctx.vault.policies, ctx.vault.clock.now()).await?))
        }
        Err(e) if e.kind == ErrorKind::Denied => Ok(None),
        Err(e) => Err(e),
    }
}

fn mounts(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let acl = acl(&ctx).await?;
        let (mut secret, mut auth) = (Map::new(), Map::new());
        for mount in ctx.vault.mounts.all() {
            let open = mount.config.listing_visibility == "unauth";
            let shown = match &acl {
                Some(acl) if open || acl.touches(&mount.path) => mount_info::info(&mount),
                None if open => brief(&mount),
                _ => continue,
            };
            match mount.path.strip_prefix("auth/") {
                Some(path) => auth.insert(path.to_owned(), shown),
                None => secret.insert(mount.path.clone(), shown),
            };
        }
        Ok(Response::with_value(&json!({ "secret": secret, "auth": auth })))
    })
}

fn brief(mount: &MountEntry) -> Value {
    json!({ "type": mount.kind, "description": mount.description, "options": mount.options })
}

fn mount(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let path = ctx.param("path");
        let acl = acl(&ctx).await?.ok_or_else(Error::bad_token)?;
        let found = ctx.vault.mounts.route(path).map(|(m, _)| m).filter(|m| acl.touches(&m.path));
        let mount = found.ok_or_else(|| {
            Error::new(
                ErrorKind::Denied,
                format!(
                    "preflight capability check returned 403, please ensure client's policies grant access to path \
                     {:?}",
                    format!("{}/", path.trim_end_matches('/'))
                ),
            )
        })?;
        let mut shown = mount_info::info(&mount);
        shown["path"] = json!(mount.path);
        Ok(Response::with_value(&shown))
    })
}

fn resultant(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move { Ok(Response::with_value(&ctx.asked()?.acl.resultant())) })
}
