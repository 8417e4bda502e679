//! `sys/pool`: credentials that are made ahead.

use std::sync::Arc;

use cofferdam_model::route::FieldKind::{Integer, Seconds};
use cofferdam_model::{Error, ErrorKind, Response, Result};
use futures::future::BoxFuture;
use serde_json::json;

use crate::mounts::MountEntry;
use crate::native::{Ctx, Routes};
use crate::pool::{self, MIN_AGE_MAX, Pool, SIZE_MAX};

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("pool/", "Lists the paths whose credentials are made ahead. Needs sudo.")
        .sudo()
        .list(list)
        .route("pool/{path*}", "Credentials that are made ahead for reads of this path. Needs sudo.")
        .sudo()
        .fields(&[
            ("size", Integer, "How many wait: 0 to 50."),
            ("min_age", Seconds, "How long one must have been there before it is handed out; 0 if not given."),
        ])
        .read(read)
        .write(write)
        .delete(delete)
}

/// The mount that the path belongs to, and the rest.
fn target<'a>(ctx: &'a Ctx<'_>) -> Result<(Arc<MountEntry>, &'a str)> {
    let path = ctx.param("path");
    let found = ctx.vault.mounts.route(path).filter(|(mount, _)| !mount.is_builtin() && !mount.is_auth());
    let (mount, rest) =
        found.ok_or_else(|| Error::invalid(format!("{path}: say which path, with the mount before it")))?;
    if rest.split('/').any(str::is_empty) {
        return Err(Error::invalid(format!("{path}: must be a path without empty parts")));
    }
    Ok((mount, rest))
}

async fn found(ctx: &Ctx<'_>) -> Result<Option<Pool>> {
    let (mount, rest) = target(ctx)?;
    pool::read(ctx.vault, &mount.uuid, rest).await
}

fn list(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let pools = pool::all(ctx.vault).await?;
        let path = |pool: Pool| Some(format!("{}{}", ctx.vault.mounts.by_uuid(&pool.mount)?.path, pool.path));
        let mut paths: Vec<String> = pools.into_iter().filter_map(path).collect();
        paths.sort();
        Ok(Response::with_keys(paths))
    })
}

fn read(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let Some(pool) = found(&ctx).await? else { return Ok(Response::empty()) };
        let stock = pool::stock(ctx.vault, &pool).await?;
        let now = ctx.vault.clock.proven();
        let ready = stock.iter().filter(|stocked| pool.ready_at(stocked) <= now).count();
        Ok(Response::with_value(&json!({
            "size": pool.size,
            "min_age": pool.min_age,
            "stocked": stock.len(),
            "ready": ready,
            "last_error": ctx.vault.pools.trouble(&pool.key()),
        })))
    })
}

fn write(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let (mount, rest) = target(&ctx)?;
        let there = pool::read(ctx.vault, &mount.uuid, rest).await?;
        let (old_size, old_age) = there.as_ref().map_or((None, 0), |pool| (Some(pool.size), pool.min_age));
        let sent = |field: &str| {
            ctx.has(field).then(|| u64::try_from(ctx.number(field)).map_err(|_| not_negative(field))).transpose()
        };
        let size = sent("size")?.or(old_size).ok_or_else(|| Error::invalid("size: say how many"))?;
        let min_age = sent("min_age")?.unwrap_or(old_age);
        if size > SIZE_MAX {
            return Err(Error::invalid(format!("size: at most {SIZE_MAX}")));
        }
        if min_age > MIN_AGE_MAX {
            return Err(Error::invalid(format!("min_age: at most {MIN_AGE_MAX} seconds")));
        }
        // A path that makes nothing is told now, and not only to whoever looks.
        pool::fill::plan(ctx.vault, &mount, rest).await.map_err(unplanned)?;
        let pool = Pool { mount: mount.uuid.clone(), path: rest.to_owned(), size, min_age };
        pool::put(ctx.vault, &pool).await?;
        told(&ctx, "written")?;
        Ok(Response::empty())
    })
}

/// Whoever writes a pool is told as of a mistake in the request, which it mostly is.
fn unplanned(error: Error) -> Error {
    if error.kind != ErrorKind::Backend {
        return error;
    }
    Error::invalid(format!("nothing can be made ahead there: {}", error.messages.join("; ")))
}

fn not_negative(field: &str) -> Error {
    Error::invalid(format!("{field}: must not be negative"))
}

fn delete(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        if let Some(pool) = found(&ctx).await? {
            pool::delete(ctx.vault, &pool).await?;
            told(&ctx, "deleted")?;
        }
        Ok(Response::empty())
    })
}

fn told(ctx: &Ctx<'_>, action: &str) -> Result<()> {
    let by = &ctx.asked()?.token.record.accessor;
    tracing::info!(target: "audit", action, path = ctx.param("path"), by, request = ctx.request.id, "pool");
    Ok(())
}
