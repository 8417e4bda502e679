//! A mount's settings, at creation and later.

use std::collections::BTreeMap;

use cofferdam_model::fields;
use cofferdam_model::route::FieldKind;
use cofferdam_model::{Error, Response, Result, Timestamp};
use serde_json::{Map, Value};

use super::mount_info;
use super::mounts::mount_at;
use crate::mounts::MountConfig;
use crate::native::system::ttl_setting;
use crate::native::{Ctx, texts};

pub(super) fn read(ctx: &Ctx<'_>, path: &str) -> Result<Response> {
    let mount = mount_at(ctx, path)?;
    let shown = mount_info::tuned(&mount, ctx.vault.system_ttls());
    Ok(Response { copy_to_top: true, ..Response::with_value(&shown) })
}

/// The settings of a new mount.
pub(super) fn initial(sent: &Map<String, Value>, system: (u64, u64)) -> Result<MountConfig> {
    let mut config = MountConfig::default();
    apply(&mut config, sent)?;
    let (default_ttl, max_ttl) = (config.default_lease_ttl, config.max_lease_ttl);
    if max_ttl > 0 && default_ttl > max_ttl {
        return Err(Error::invalid("default_lease_ttl: greater than max_lease_ttl"));
    }
    if max_ttl == 0 && default_ttl > system.1 {
        return Err(Error::invalid(
            "default_lease_ttl: greater than the system's maximum, and the mount has none of its own",
        ));
    }
    Ok(config)
}

/// Changes what is named, and keeps the rest.
fn apply(config: &mut MountConfig, sent: &Map<String, Value>) -> Result<()> {
    let read = |field: &str, kind: FieldKind| -> Result<Option<Value>> {
        let Some(value) = sent.get(field) else { return Ok(None) };
        fields::read(kind, value).map(Some).map_err(|e| Error::invalid(format!("{field}: {e}")))
    };
    for (field, setting) in
        [("default_lease_ttl", &mut config.default_lease_ttl), ("max_lease_ttl", &mut config.max_lease_ttl)]
    {
        if let Some(seconds) = sent.get(field).map(|v| ttl_setting(field, v)).transpose()?.flatten() {
            *setting = seconds;
        }
    }
    if let Some(flag) = read("force_no_cache", FieldKind::Boolean)? {
        config.force_no_cache = flag.as_bool().unwrap_or(false);
    }
    if let Some(shown) = read("listing_visibility", FieldKind::Text)? {
        let shown = shown.as_str().unwrap_or_default();
        if !matches!(shown, "" | "hidden" | "unauth") {
            return Err(Error::invalid(format!("listing_visibility: {shown:?} is neither hidden nor unauth")));
        }
        config.listing_visibility = shown.to_owned();
    }
    for (field, setting) in [
        ("audit_non_hmac_request_keys", &mut config.audit_non_hmac_request_keys),
        ("audit_non_hmac_response_keys", &mut config.audit_non_hmac_response_keys),
        ("passthrough_request_headers", &mut config.passthrough_request_headers),
        ("allowed_response_headers", &mut config.allowed_response_headers),
    ] {
        if let Some(list) = read(field, FieldKind::CommaList)? {
            *setting = Some(texts(Some(&list))).filter(|l| !l.is_empty());
        }
    }
    if let Some(list) = read("egress", FieldKind::CommaList)? {
        config.egress = texts(Some(&list));
        if let Some(bad) = config.egress.iter().find(|e| crate::targets::operator_grant(e).is_none()) {
            return Err(Error::invalid(format!("egress: {bad:?} is not of the form host:port")));
        }
    }
    Ok(())
}

pub(super) async fn write(ctx: &Ctx<'_>, path: &str) -> Result<Response> {
    let mount = mount_at(ctx, path)?;
    if mount.is_builtin()
        && let Some(field) = ctx.fields.keys().find(|f| !f.starts_with("audit_non_hmac_"))
    {
        return Err(Error::invalid(format!("{field}: cannot be tuned on {path:?}")));
    }
    if ctx.has("token_type") && !mount.is_auth() {
        return Err(Error::invalid("token_type: only auth methods have one"));
    }
    let egress_by = check_egress(ctx, &ctx.fields)?;
    if mount.kind != "kv" && ctx.pairs("options").contains_key("version") {
        return Err(Error::invalid("options: only kv has a version"));
    }
    let upgrade = version_change(&mount.options, &ctx.pairs("options"))?;
    let options = ctx.pairs("options");
    let updated = ctx
        .vault
        .mounts
        .update(&mount.uuid, |next| {
            apply(&mut next.config, &ctx.fields)?;
            if egress_by.is_some() {
                next.config.egress_by = egress_by;
            }
            let (default_ttl, max_ttl) = (next.config.default_lease_ttl, next.config.max_lease_ttl);
            if max_ttl > 0 && default_ttl > max_ttl {
                return Err(Error::invalid("default_lease_ttl: greater than max_lease_ttl"));
            }
            if ctx.has("description") {
                next.description = ctx.text("description").to_owned();
            }
            next.options = merged(&next.options, &options, !upgrade);
            Ok(())
        })
        .await?;
    if !upgrade {
        return Ok(Response::empty());
    }
    ctx.vault.upgrade(&updated, merged(&updated.options, &options, true)).await?;
    Ok(Response::empty().warn(format!(
        "Upgrading mount to version 2. This mount was unavailable for a brief period; {path} is ready now."
    )))
}

/// The options after a change; an empty value takes one away. The version changes apart, with the entries.
fn merged(
    old: &BTreeMap<String, String>,
    sent: &BTreeMap<String, String>,
    with_version: bool,
) -> BTreeMap<String, String> {
    let mut out = old.clone();
    for (name, value) in sent {
        match (name.as_str(), value.as_str()) {
            ("version", v) if v.is_empty() || !with_version => {}
            (_, "") => drop(out.remove(name)),
            _ => drop(out.insert(name.clone(), value.clone())),
        }
    }
    out
}

/// Whoever opens the network to a compartment must have sudo on the request's path, and is remembered. None: it is not
/// opened.
pub(super) fn check_egress(ctx: &Ctx<'_>, sent: &Map<String, Value>) -> Result<Option<(String, Timestamp)>> {
    if !sent.contains_key("egress") {
        return Ok(None);
    }
    let asked = ctx.asked()?;
    if !asked.has_sudo() {
        return Err(Error::invalid("egress: opens the network to a compartment; needs sudo on this path"));
    }
    let token = &asked.token.record;
    Ok(Some((format!("{} ({})", token.display_name, token.accessor), ctx.vault.clock.now())))
}

/// Whether the options ask for a newer version of the stored format.
fn version_change(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> Result<bool> {
    let version = |options: &BTreeMap<String, String>| options.get("version").map_or("1", String::as_str).to_owned();
    match new.get("version").filter(|v| !v.is_empty()) {
        None => Ok(false),
        Some(v) if *v == version(old) => Ok(false),
        Some(v) if v == "2" && version(old) == "1" => Ok(true),
        Some(v) => Err(Error::invalid(format!("options: version {} cannot become {v}", version(old)))),
    }
}
