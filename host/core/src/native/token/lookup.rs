//! `auth/token/lookup*`.

use std::collections::BTreeMap;

use cofferdam_model::{Clock, Error, ErrorKind, Response, Result};
use cofferdam_tokens::Token;
use futures::future::BoxFuture;
use serde::Serialize;

use super::of_accessor;
use crate::native::Ctx;

pub(super) fn own(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let asked = ctx.asked()?;
        let id = ctx.request.token.as_ref().map_or("", |t| t.expose());
        // This very request takes a use.
        let left = asked.token.uses_left.map(|left| left - 1);
        Ok(show(&asked.token, left, id, &*ctx.vault.clock))
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
        Ok(show(&token, token.uses_left, id, &*ctx.vault.clock))
    })
}

pub(super) fn by_accessor(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let token = of_accessor(ctx.vault, ctx.text("accessor")).await?;
        Ok(show(&token, token.uses_left, "", &*ctx.vault.clock))
    })
}

fn show(token: &Token, uses_left: Option<i64>, id: &str, clock: &dyn Clock) -> Response {
    let record = &token.record;
    Response::with_value(&Shown {
        accessor: &record.accessor,
        creation_time: record.created_at.seconds(),
        creation_ttl: record.creation_ttl,
        display_name: &record.display_name,
        entity_id: &record.entity_id,
        expire_time: record.expires_at.map(|t| t.rfc3339()),
        explicit_max_ttl: record.explicit_max_ttl,
        id,
        issue_time: record.expires_at.map(|_| record.created_at.rfc3339()),
        last_renewal: record.last_renewal.map(|t| t.rfc3339()),
        last_renewal_time: record.last_renewal.map(|t| t.seconds()),
        meta: record.meta.as_ref(),
        num_uses: uses_left.unwrap_or(0),
        orphan: record.parent.is_none(),
        path: &record.path,
        period: record.period,
        policies: &record.policies,
        renewable: record.expires_at.map(|_| record.renewable),
        role: &record.role,
        ttl: record.ttl(clock.now()),
        kind: "service",
    })
}

/// A token as it is shown.
#[derive(Serialize)]
struct Shown<'a> {
    accessor: &'a str,
    creation_time: i64,
    creation_ttl: u64,
    display_name: &'a str,
    entity_id: &'a str,
    expire_time: Option<String>,
    explicit_max_ttl: u64,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issue_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_renewal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_renewal_time: Option<i64>,
    meta: Option<&'a BTreeMap<String, String>>,
    num_uses: i64,
    orphan: bool,
    path: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    period: u64,
    policies: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    renewable: Option<bool>,
    #[serde(skip_serializing_if = "str::is_empty")]
    role: &'a str,
    ttl: u64,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
