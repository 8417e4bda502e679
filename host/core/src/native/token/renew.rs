//! `auth/token/renew*`.

use cofferdam_leases::{Limits, clamp_renewal};
use cofferdam_model::{Error, Response, Result, SecretText};
use cofferdam_tokens::Token;
use futures::future::BoxFuture;

use super::{auth_info, of_accessor};
use crate::native::Ctx;

pub(super) fn own(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let token = Token::clone(&ctx.asked()?.token);
        let id = ctx.request.token.clone().unwrap_or_default();
        renew(&ctx, token, id).await
    })
}

pub(super) fn given(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let id = ctx.text("token");
        if id.is_empty() {
            return Err(Error::invalid("missing token"));
        }
        let token = ctx.vault.tokens.lookup(id).await?.ok_or_else(|| Error::invalid("token not found"))?;
        renew(&ctx, Token::clone(&token), SecretText::new(id)).await
    })
}

pub(super) fn by_accessor(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let token = of_accessor(ctx.vault, ctx.text("accessor")).await?;
        renew(&ctx, token, SecretText::default()).await
    })
}

async fn renew(ctx: &Ctx<'_>, token: Token, id: SecretText) -> Result<Response> {
    let record = &token.record;
    if !record.renewable || record.expires_at.is_none() {
        return Err(Error::invalid("lease is not renewable"));
    }
    let now = ctx.vault.clock.now();
    let (default_ttl, max_ttl) = ctx.asked()?.mount.ttls(ctx.vault.system_ttls());
    let age = u64::try_from(now.seconds_since(record.created_at)).unwrap_or(0);
    let periodic = record.period > 0;
    let limits = Limits {
        default_ttl,
        // Only an explicit maximum ends a periodic token.
        max_ttl: if periodic { 0 } else { max_ttl },
        role_ttl: if periodic { record.period } else { record.creation_ttl },
        role_max_ttl: record.explicit_max_ttl,
    };
    let increment = if periodic { 0 } else { ctx.seconds("increment") };
    let clamped =
        clamp_renewal(increment, age, &limits).ok_or_else(|| Error::invalid("past the max TTL, cannot renew"))?;
    let ttl = if periodic { clamped.ttl.min(max_ttl) } else { clamped.ttl };
    let end = now.plus_seconds(i64::try_from(ttl).unwrap_or(i64::MAX));
    if !ctx.vault.tokens.extend(&token, end).await? {
        return Err(Error::invalid("token not found: it was revoked or renewed at the same moment"));
    }
    let warnings = clamped.warning.into_iter().collect();
    Ok(Response { auth: Some(auth_info(id, record, ttl)), warnings, ..Response::default() })
}
