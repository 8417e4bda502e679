//! `auth/token/revoke*`. The token is dead when these answer; the credentials that hang on it are on their way out,
//! durably.

use cofferdam_model::{Error, Response, Result};
use futures::future::BoxFuture;

use crate::native::Ctx;
use crate::reaper;

pub(super) fn own(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        reaper::revoke_tree(ctx.vault, ctx.asked()?.token.digest.clone(), false).await?;
        Ok(Response::empty())
    })
}

pub(super) fn given(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let id = ctx.text("token");
        if id.is_empty() {
            return Err(Error::invalid("missing token"));
        }
        reaper::revoke_tree(ctx.vault, ctx.vault.tokens.digest(id), false).await?;
        Ok(Response::empty())
    })
}

pub(super) fn by_accessor(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let accessor = ctx.text("accessor");
        if accessor.is_empty() {
            return Err(Error::invalid("missing accessor"));
        }
        match ctx.vault.tokens.by_accessor(accessor).await? {
            Some(token) => {
                reaper::revoke_tree(ctx.vault, token.digest, false).await?;
                Ok(Response::empty())
            }
            None => Ok(Response::empty().warn("No token found with this accessor")),
        }
    })
}

pub(super) fn orphan(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let asked = ctx.asked()?;
        if !asked.has_sudo() {
            return Err(Error::invalid("root or sudo privileges required to revoke and orphan"));
        }
        let id = ctx.text("token");
        if id.is_empty() {
            return Err(Error::invalid("missing token"));
        }
        let token = ctx.vault.tokens.lookup(id).await?.ok_or_else(|| Error::invalid("token to revoke not found"))?;
        reaper::revoke_orphan(ctx.vault, token.digest.clone()).await?;
        Ok(Response::empty())
    })
}
