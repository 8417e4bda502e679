//! `sys/mounts` and `sys/auth`: enable, show, disable. Tuning is in `tune.rs`.

use std::sync::Arc;

use cofferdam_model::route::FieldKind::{Any, Boolean, CommaList, Object, Pairs, Text};
use cofferdam_model::{Error, Response, Result};
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use super::{mount_info, tune};
use crate::mounts::{MountConfig, MountEntry, NewMount};
use crate::native::{Ctx, Routes};

const FIELDS: &[(&str, cofferdam_model::route::FieldKind, &str)] = &[
    ("type", Text, "The engine's type."),
    ("description", Text, "For people."),
    ("config", Object, "TTLs and the like; see tune."),
    ("options", Pairs, "Options of the engine, such as version=2 of kv."),
    ("local", Boolean, "Kept for compatibility."),
    ("seal_wrap", Boolean, "Kept for compatibility."),
    ("external_entropy_access", Boolean, "Kept for compatibility."),
    ("plugin_name", Text, "The type, where type is plugin."),
    ("plugin_version", Text, "Kept for compatibility."),
    ("default_lease_ttl", Any, "tune: how long leases live; system or 0: as the server says."),
    ("max_lease_ttl", Any, "tune: how long leases may live at most; system or 0: as the server says."),
    ("force_no_cache", Boolean, "Every read is a call: no answer is given again from memory."),
    ("listing_visibility", Text, "tune: unauth shows the mount to everybody."),
    ("audit_non_hmac_request_keys", CommaList, "tune: what the audit log shows in the clear."),
    ("audit_non_hmac_response_keys", CommaList, "tune: what the audit log shows in the clear."),
    ("passthrough_request_headers", CommaList, "tune: headers that reach the engine."),
    ("allowed_response_headers", CommaList, "tune: headers that the engine may set."),
    ("token_type", Text, "tune: of auth methods."),
    ("egress", CommaList, "tune: host:port that the mount may reach besides what its configuration names."),
];

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("mounts", "Lists the secrets engines.")
        .read(list_secrets)
        .route("mounts/", "Lists the secrets engines.")
        .list(list_secrets)
        .route("mounts/{path*}", "Enables, shows, tunes or disables a secrets engine.")
        .fields(FIELDS)
        .read(read_secret)
        .write(write_secret)
        .delete(delete_secret)
        .route("auth", "Lists the auth methods.")
        .read(list_auth)
        .route("auth/", "Lists the auth methods.")
        .list(list_auth)
        .route("auth/{path*}", "Enables, shows, tunes or disables an auth method. Needs sudo.")
        .sudo_below()
        .fields(FIELDS)
        .read(read_auth)
        .write(write_auth)
        .delete(delete_auth)
}

fn list_secrets(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move { Ok(table(&ctx, |m| (!m.is_auth()).then(|| m.path.clone()))) })
}

fn list_auth(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move { Ok(table(&ctx, |m| m.path.strip_prefix("auth/").map(str::to_owned))) })
}

fn table(ctx: &Ctx<'_>, name: impl Fn(&MountEntry) -> Option<String>) -> Response {
    let mounts = ctx.vault.mounts.all();
    let data: Map<String, Value> = mounts.iter().filter_map(|m| Some((name(m)?, mount_info::info(m)))).collect();
    let unserved = ctx.vault.mounts.unserved().iter();
    let warnings = unserved.map(|(uuid, why)| format!("the mount {uuid} is not served: {why}"));
    Response { copy_to_top: true, warnings: warnings.collect(), ..Response::with_data(data) }
}

fn read_secret(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(read(ctx, ""))
}

fn write_secret(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(write(ctx, ""))
}

fn delete_secret(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(delete(ctx, ""))
}

fn read_auth(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(read(ctx, "auth/"))
}

fn write_auth(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(write(ctx, "auth/"))
}

fn delete_auth(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(delete(ctx, "auth/"))
}

/// The mount of a request; `what` is how people call it.
pub(super) fn mount_at(ctx: &Ctx<'_>, path: &str) -> Result<Arc<MountEntry>> {
    ctx.vault.mounts.at(path).ok_or_else(|| {
        let (kind, path) = path.strip_prefix("auth/").map_or(("secret engine", path), |p| ("auth engine", p));
        Error::invalid(format!("No {kind} mount at {path}"))
    })
}

fn tune_path(ctx: &Ctx<'_>, prefix: &str) -> Option<String> {
    ctx.param("path").strip_suffix("/tune").map(|p| format!("{prefix}{p}/"))
}

async fn read(ctx: Ctx<'_>, prefix: &str) -> Result<Response> {
    if let Some(path) = tune_path(&ctx, prefix) {
        return tune::read(&ctx, &path);
    }
    let mount = mount_at(&ctx, &folder(prefix, ctx.param("path")))?;
    Ok(Response { copy_to_top: true, ..Response::with_value(&mount_info::info(&mount)) })
}

async fn write(ctx: Ctx<'_>, prefix: &str) -> Result<Response> {
    if let Some(path) = tune_path(&ctx, prefix) {
        return tune::write(&ctx, &path).await;
    }
    let path = folder(prefix, ctx.param("path"));
    enable(&ctx, path, prefix == "auth/").await
}

async fn enable(ctx: &Ctx<'_>, path: String, is_auth: bool) -> Result<Response> {
    let mut kind = ctx.text("type").to_owned();
    if kind == "plugin" {
        kind = ctx.text("plugin_name").to_owned();
    }
    if kind.is_empty() {
        return Err(Error::invalid("type: backend type must be specified as a string"));
    }
    let mut options = ctx.pairs("options");
    if let Some(version) = kind.strip_prefix("kv-v") {
        options.insert("version".to_owned(), version.to_owned());
        kind = "kv".to_owned();
    }
    check_path(&path, is_auth)?;
    if is_auth {
        return Err(Error::invalid(format!("plugin not found in the catalog: auth method {kind:?}")));
    }
    let empty = Map::new();
    let sent = ctx.fields.get("config").and_then(Value::as_object).unwrap_or(&empty);
    let egress_by = tune::check_egress(ctx, sent)?;
    let config = MountConfig { egress_by, ..tune::initial(sent, ctx.vault.system_ttls())? };
    ctx.vault
        .enable_mount(NewMount {
            path,
            kind,
            description: ctx.text("description").to_owned(),
            options,
            config,
            local: ctx.flag("local", false),
            seal_wrap: ctx.flag("seal_wrap", false),
            external_entropy_access: ctx.flag("external_entropy_access", false),
            storage_format: None,
        })
        .await?;
    Ok(Response::empty())
}

/// Paths that belong to the server.
pub(super) fn check_path(path: &str, is_auth: bool) -> Result<()> {
    let below = if is_auth { path.strip_prefix("auth/").unwrap_or(path) } else { path };
    if below.is_empty() || below == "/" {
        return Err(Error::invalid("path: must not be empty"));
    }
    let clean = below.trim_end_matches('/').split('/').all(|s| !s.is_empty() && s.trim() == s && s != "." && s != "..");
    if !clean || below.chars().any(char::is_control) {
        return Err(Error::invalid(format!("path: {below:?} is no usable mount path")));
    }
    let reserved = ["audit/", "auth/", "sys/", "cubbyhole/", "identity/"];
    if !is_auth && let Some(own) = reserved.iter().find(|r| path.starts_with(**r)) {
        return Err(Error::invalid(format!("path: cannot mount under {own:?}, which belongs to the server")));
    }
    Ok(())
}

async fn delete(ctx: Ctx<'_>, prefix: &str) -> Result<Response> {
    let path = folder(prefix, ctx.param("path"));
    let Some(mount) = ctx.vault.mounts.at(&path) else { return Ok(Response::empty()) };
    if mount.is_builtin() {
        return Err(Error::invalid(format!("cannot unmount {path:?}")));
    }
    match ctx.vault.unmount(&mount.uuid).await? {
        0 => Ok(Response::empty()),
        left => Ok(Response::empty().warn(format!(
            "{path} serves nobody any more, but {left} of its leases could not be revoked yet; they are tried again \
             until their credentials are gone"
        ))),
    }
}

pub(super) fn folder(prefix: &str, path: &str) -> String {
    format!("{prefix}{}/", path.trim_end_matches('/'))
}
