//! How a mount is shown.

use serde_json::{Value, json};

use crate::VERSION;
use crate::mounts::MountEntry;

/// As `sys/mounts` shows it: what was configured, not what is in effect.
pub(super) fn info(mount: &MountEntry) -> Value {
    let options = if mount.options.is_empty() { Value::Null } else { json!(mount.options) };
    let version = format!("v{VERSION}+builtin.cofferdam");
    json!({
        "type": mount.kind,
        "description": mount.description,
        "accessor": mount.accessor,
        "local": mount.local,
        "seal_wrap": mount.seal_wrap,
        "external_entropy_access": mount.external_entropy_access,
        "options": options,
        "uuid": mount.uuid,
        "plugin_version": "",
        "running_plugin_version": version,
        "running_sha256": "",
        "deprecation_status": "supported",
        "config": config(mount),
    })
}

fn config(mount: &MountEntry) -> Value {
    let config = &mount.config;
    let mut out = json!({
        "default_lease_ttl": config.default_lease_ttl,
        "max_lease_ttl": config.max_lease_ttl,
        "force_no_cache": config.force_no_cache,
    });
    add_optional(&mut out, mount);
    out
}

/// As `sys/mounts/<path>/tune` shows it: the TTLs in effect.
pub(super) fn tuned(mount: &MountEntry, system: (u64, u64)) -> Value {
    let (default_ttl, max_ttl) = mount.ttls(system);
    let mut out = json!({
        "description": mount.description,
        "default_lease_ttl": default_ttl,
        "max_lease_ttl": max_ttl,
        "force_no_cache": mount.config.force_no_cache,
    });
    if !mount.options.is_empty() {
        out["options"] = json!(mount.options);
    }
    add_optional(&mut out, mount);
    out
}

/// What shows only where it is set.
fn add_optional(out: &mut Value, mount: &MountEntry) {
    let config = &mount.config;
    for (name, list) in [
        ("audit_non_hmac_request_keys", &config.audit_non_hmac_request_keys),
        ("audit_non_hmac_response_keys", &config.audit_non_hmac_response_keys),
        ("passthrough_request_headers", &config.passthrough_request_headers),
        ("allowed_response_headers", &config.allowed_response_headers),
    ] {
        if let Some(list) = list {
            out[name] = json!(list);
        }
    }
    if !config.listing_visibility.is_empty() {
        out["listing_visibility"] = json!(config.listing_visibility);
    }
    if mount.is_auth() {
        let kind = if config.token_type.is_empty() { "default-service" } else { &config.token_type };
        out["token_type"] = json!(kind);
    }
    if !config.egress.is_empty() {
        out["egress"] = json!(config.egress);
    }
}
