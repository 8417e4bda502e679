//! `auth/token/lookup*`.

use cofferdam_model::{Clock, Error, ErrorKind, Response, Result};
use cofferdam_tokens::Token;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::of_accessor;
use crate::native::Ctx;

pub(super) fn own(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let asked = ctx.asked()?;
        let id = ctx.request.token.as_ref().map_or("", |t| t.expose());
        // This very request takes a use.
        let mut token = Token::clone(&asked.token);
        token.uses_left = token.uses_left.map(|left| left - 1);
        Ok(show(&token, id, &*ctx.vault.clock))
    })
}

pub(super) fn given(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    if ctx.text("token").is_empty() {
        return own(ctx);
    }
    Box::pin(async move {
        let id = ctx.text("token");
        let token = ctx.vault.tokens.lookup(id).await?;
        let token = token.ok_or_else(|| Error::new(ErrorKind::Denied, "bad token"))?;
        Ok(show(&token, id, &*ctx.vault.clock))
    })
}

pub(super) fn by_accessor(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let token = of_accessor(ctx.vault, ctx.text("accessor")).await?;
        Ok(show(&token, "", &*ctx.vault.clock))
    })
}

fn show(token: &Token, id: &str, clock: &dyn Clock) -> Response {
    let record = &token.record;
    let mut data = json!({
        "id": id,
        "accessor": record.accessor,
        "policies": record.policies,
        "path": record.path,
        "meta": record.meta,
        "display_name": record.display_name,
        "num_uses": token.uses_left.unwrap_or(0),
        "orphan": record.parent.is_none(),
        "creation_time": record.created_at.seconds(),
        "creation_ttl": record.creation_ttl,
        "expire_time": record.expires_at.map(|t| t.rfc3339()),
        "ttl": record.ttl(clock.now()),
        "explicit_max_ttl": record.explicit_max_ttl,
        "entity_id": record.entity_id,
        "type": "service",
    });
    let mut add = |name: &str, value: Value| {
        data[name] = value;
    };
    if record.expires_at.is_some() {
        add("issue_time", record.created_at.rfc3339().into());
        add("renewable", record.renewable.into());
    }
    if let Some(renewal) = record.last_renewal {
        add("last_renewal", renewal.rfc3339().into());
        add("last_renewal_time", renewal.seconds().into());
    }
    if record.period > 0 {
        add("period", record.period.into());
    }
    if !record.role.is_empty() {
        add("role", record.role.clone().into());
    }
    Response::with_value(&data)
}
