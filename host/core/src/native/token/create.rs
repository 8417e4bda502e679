//! `auth/token/create`, `create-orphan`.

use std::collections::BTreeSet;
use std::sync::Arc;

use cofferdam_leases::{Limits, clamp, clamp_period};
use cofferdam_model::{Error, Response, Result};
use cofferdam_tokens::{NewToken, TokenRecord};
use futures::future::BoxFuture;

use super::auth_info;
use crate::dispatch::Asked;
use crate::native::Ctx;
use crate::policies::{DEFAULT, RESPONSE_WRAPPING, ROOT};
use crate::reaper::NAP;
use crate::vault::Vault;

pub(super) fn create(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(make(ctx, false))
}

pub(super) fn create_orphan(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(make(ctx, true))
}

async fn make(ctx: Ctx<'_>, orphan: bool) -> Result<Response> {
    let asked = ctx.asked()?;
    let parent = &asked.token;
    if parent.uses_left.is_some() {
        return Err(Error::invalid("restricted use token cannot generate child tokens"));
    }
    let sudo = asked.has_sudo();
    refuse(&ctx, sudo)?;
    let (policies, mut warnings) = policies(ctx.vault, &ctx, asked, sudo).await?;
    let terms = terms(&ctx, asked, &policies)?;
    warnings.extend(terms.warning.clone());
    let id = Some(ctx.text("id").to_owned()).filter(|id| !id.is_empty());
    if id.is_some() {
        warnings.push(
            "Supplying a custom ID for the token uses a weaker format: anybody who knows or guesses it is in."
                .to_owned(),
        );
    }
    let orphan = orphan || ctx.flag("no_parent", false);
    let record = TokenRecord {
        parent: (!orphan).then(|| parent.digest.clone()),
        policies,
        path: asked.request.path.clone(),
        meta: Some(ctx.pairs("meta")).filter(|m| !m.is_empty()),
        display_name: display_name(ctx.text("display_name")),
        creation_ttl: terms.ttl,
        explicit_max_ttl: ctx.seconds("explicit_max_ttl"),
        period: ctx.seconds("period"),
        num_uses: u64::try_from(ctx.number("num_uses")).unwrap_or(0),
        renewable: terms.ttl > 0 && ctx.flag("renewable", true),
        entity_id: if orphan { String::new() } else { parent.record.entity_id.clone() },
        ..TokenRecord::default()
    };
    cofferdam_failpoints::point!("token.create");
    let (id, token) = ctx.vault.tokens.create(NewToken { id, record }).await?;
    if terms.ttl > 0 && terms.ttl <= NAP.as_secs() {
        ctx.vault.reap.notify_one();
    }
    Ok(Response { auth: Some(auth_info(id, &token.record, terms.ttl)), warnings, ..Response::default() })
}

/// What no token, or no token without sudo, may ask for.
fn refuse(ctx: &Ctx<'_>, sudo: bool) -> Result<()> {
    match ctx.text("type") {
        "" | "service" => {}
        "batch" => return Err(Error::invalid("type: batch tokens are not available on this server")),
        other => return Err(Error::invalid(format!("type: invalid token type {other:?}"))),
    }
    if !ctx.text("entity_alias").is_empty() {
        return Err(Error::invalid("entity_alias: only allowed in combination with a token role"));
    }
    // Whoever asks for a bound must not go away with a token that has none.
    for field in ["bound_cidrs", "token_bound_cidrs"] {
        if !ctx.list(field).is_empty() {
            return Err(Error::invalid(format!("{field}: this server binds no tokens to addresses")));
        }
    }
    if ctx.number("num_uses") < 0 {
        return Err(Error::invalid("num_uses: number of uses cannot be negative"));
    }
    if !sudo {
        for (field, asked) in [
            ("id", !ctx.text("id").is_empty()),
            ("no_parent", ctx.flag("no_parent", false)),
            ("period", ctx.seconds("period") > 0),
        ] {
            if asked {
                return Err(Error::invalid(format!("{field}: root or sudo privileges required")));
            }
        }
    }
    let id = ctx.text("id");
    if id.contains('.') || id.contains(char::is_whitespace) {
        return Err(Error::invalid(
            "id: custom token ID cannot contain a dot or blanks, or begin as generated ones do",
        ));
    }
    Ok(())
}

/// The policies of the new token, and a warning for each that does not exist.
async fn policies(
    vault: &Arc<Vault>,
    ctx: &Ctx<'_>,
    asked: &Asked<'_>,
    sudo: bool,
) -> Result<(Vec<String>, Vec<String>)> {
    let parents = &asked.token.record.policies;
    let mut wanted: BTreeSet<String> =
        ctx.list("policies").iter().map(|p| p.trim().to_lowercase()).filter(|p| !p.is_empty()).collect();
    let parent_has = |p: &str| parents.iter().any(|own| own == p);
    if wanted.is_empty() {
        wanted = parents.iter().cloned().collect();
    } else {
        if !sudo && !wanted.iter().all(|p| p == DEFAULT || parent_has(p)) {
            return Err(Error::invalid("child policies must be subset of parent"));
        }
        if sudo || parent_has(DEFAULT) {
            wanted.insert(DEFAULT.to_owned());
        }
    }
    if wanted.contains(RESPONSE_WRAPPING) {
        return Err(Error::invalid(format!("policies: cannot assign policy {RESPONSE_WRAPPING:?}")));
    }
    if wanted.contains(ROOT) {
        if !parent_has(ROOT) {
            return Err(Error::invalid("policies: root tokens may not be created without parent token being root"));
        }
        return Ok((vec![ROOT.to_owned()], Vec::new()));
    }
    if ctx.flag("no_default_policy", false) {
        wanted.remove(DEFAULT);
    }
    let mut warnings = Vec::new();
    for name in &wanted {
        if !vault.policies.exists(name).await? {
            warnings.push(format!("Policy {name:?} does not exist"));
        }
    }
    Ok((wanted.into_iter().collect(), warnings))
}

struct Terms {
    ttl: u64,
    warning: Option<String>,
}

fn terms(ctx: &Ctx<'_>, asked: &Asked<'_>, policies: &[String]) -> Result<Terms> {
    let (default_ttl, max_ttl) = asked.mount.ttls(ctx.vault.system_ttls());
    let requested = match ctx.seconds("ttl") {
        0 => ctx.seconds("lease"),
        ttl => ttl,
    };
    let (period, explicit_max) = (ctx.seconds("period"), ctx.seconds("explicit_max_ttl"));
    let is_root = policies.iter().any(|p| p == ROOT);
    if is_root && requested == 0 && period == 0 && explicit_max == 0 {
        if asked.token.record.expires_at.is_some() {
            return Err(Error::invalid("expiring root tokens cannot create non-expiring root tokens"));
        }
        return Ok(Terms { ttl: 0, warning: None });
    }
    let limits = Limits { default_ttl, max_ttl, role_ttl: 0, role_max_ttl: explicit_max };
    let clamped = if period > 0 { clamp_period(period, &limits) } else { clamp(requested, &limits) };
    Ok(Terms { ttl: clamped.ttl, warning: clamped.warning })
}

/// `token`, or `token-<name>` with what is no letter, digit or dash replaced.
fn display_name(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect();
    match clean.trim_end_matches('-') {
        "" => "token".to_owned(),
        name => format!("token-{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::display_name;

    #[test]
    fn display_names_are_clean() {
        assert_eq!(display_name(""), "token");
        assert_eq!(display_name("c web!1"), "token-c-web-1");
        assert_eq!(display_name("a!"), "token-a");
    }
}
