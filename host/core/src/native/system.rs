//! What `sys` answers sealed or not, without a token: init, unseal, seal-status, health, leader. Bare JSON.

use std::sync::Arc;

use cofferdam_crypto::shamir;
use cofferdam_model::{Error, ErrorKind, Operation, Request, Response, Result, duration, fields, route::FieldKind};
use serde_json::{Map, Value, json};

use crate::VERSION;
use crate::core::Core;
use crate::lifecycle::SealConfig;

/// The answer, if the path is one of these.
pub(crate) async fn always(core: &Arc<Core>, request: &Request) -> Option<Result<Response>> {
    use Operation::{Head, Read, Update};
    if request.operation == Operation::Help {
        return None;
    }
    let path = request.path.strip_prefix("sys/")?;
    Some(match (path, request.operation) {
        ("init", Read) => init_status(core).await,
        ("init", Update) => init(core, &request.data).await,
        ("seal-status", Read) => seal_status(core).await,
        ("unseal", Update) => unseal(core, &request.data).await,
        ("health", Read | Head) => health(core, &request.data).await,
        ("leader", Read) => Ok(bare(&json!({ "ha_enabled": false }))),
        ("metrics", Read) if request.open_metrics => super::sys::metrics::answer(core, request).await,
        // Sealed once is sealed.
        ("seal", Update) if core.unsealed().await.is_none() => Ok(Response::empty()),
        ("init" | "seal-status" | "unseal" | "health" | "leader", _) => {
            Err(Error::new(ErrorKind::UnsupportedOperation, "unsupported operation"))
        }
        _ => return None,
    })
}

fn bare(body: &Value) -> Response {
    Response { bare: true, ..Response::with_value(body) }
}

async fn init_status(core: &Core) -> Result<Response> {
    Ok(bare(&json!({ "initialized": core.is_initialized().await? })))
}

async fn init(core: &Arc<Core>, data: &Map<String, Value>) -> Result<Response> {
    for field in ["pgp_keys", "root_token_pgp_key", "recovery_pgp_keys"] {
        if data.get(field).is_some_and(|v| !v.is_null() && *v != json!("") && *v != json!([])) {
            return Err(Error::invalid(format!("{field}: PGP is not available on this server")));
        }
    }
    for field in ["recovery_shares", "recovery_threshold"] {
        if number(data, field)? > 0 {
            return Err(Error::invalid(format!("parameters {field} not applicable to seal type shamir")));
        }
    }
    let config =
        SealConfig { shares: share_count(data, "secret_shares")?, threshold: share_count(data, "secret_threshold")? };
    let made = core.initialize(config, None).await?;
    let hex: Vec<String> = made.shares.iter().map(|s| shamir::to_hex(s)).collect();
    let base64: Vec<String> = made.shares.iter().map(|s| shamir::to_base64(s)).collect();
    Ok(bare(&json!({ "keys": hex, "keys_base64": base64, "root_token": made.root_token.expose() })))
}

fn number(data: &Map<String, Value>, field: &str) -> Result<i64> {
    let Some(value) = data.get(field) else { return Ok(0) };
    let read = fields::read(FieldKind::Integer, value).map_err(|e| Error::invalid(format!("{field}: {e}")))?;
    Ok(read.as_i64().unwrap_or(0))
}

fn share_count(data: &Map<String, Value>, field: &str) -> Result<u8> {
    u8::try_from(number(data, field)?)
        .ok()
        .filter(|n| *n > 0)
        .ok_or_else(|| Error::invalid(format!("{field}: must be a number from 1 to 255")))
}

async fn seal_status(core: &Core) -> Result<Response> {
    let state = core.seal_state().await?;
    let mut body = json!({
        "type": "shamir",
        "initialized": state.config.is_some(),
        "sealed": state.sealed,
        "t": state.config.map_or(0, |c| c.threshold),
        "n": state.config.map_or(0, |c| c.shares),
        "progress": state.progress,
        "nonce": state.nonce,
        "version": VERSION,
        "build_date": "",
        "migration": false,
        "recovery_seal": false,
        "storage_type": core.store.kind(),
    });
    if let Some(cluster) = state.cluster {
        body["cluster_name"] = cluster.name.into();
        body["cluster_id"] = cluster.id.into();
    }
    tell_fence(core, state.sealed, &mut body);
    Ok(bare(&body))
}

/// A fenced server says so where everybody looks; one that is not says nothing of it.
fn tell_fence(core: &Core, sealed: bool, body: &mut Value) {
    if let Some(reason) = core.fence.reason().filter(|_| !sealed) {
        body["fenced"] = true.into();
        body["fence_reason"] = reason.into();
    }
}

async fn unseal(core: &Arc<Core>, data: &Map<String, Value>) -> Result<Response> {
    let flag = |field: &str| -> Result<bool> {
        let Some(value) = data.get(field) else { return Ok(false) };
        let read = fields::read(FieldKind::Boolean, value).map_err(|e| Error::invalid(format!("{field}: {e}")))?;
        Ok(read.as_bool().unwrap_or(false))
    };
    if flag("migrate")? {
        return Err(Error::invalid("migrate: there is no other seal to migrate from"));
    }
    if flag("reset")? {
        core.reset_unseal().await?;
        return seal_status(core).await;
    }
    let key = data.get("key").and_then(Value::as_str).unwrap_or_default();
    if key.is_empty() {
        return Err(Error::invalid("'key' must be specified in request body as JSON, or 'reset' set to true"));
    }
    core.unseal_with(key).await?;
    seal_status(core).await
}

async fn health(core: &Core, query: &Map<String, Value>) -> Result<Response> {
    let code = |field: &str, usual: u16| -> Result<u16> {
        let Some(value) = query.get(field) else { return Ok(usual) };
        value
            .as_str()
            .and_then(|t| t.parse().ok())
            .filter(|c| (100..1_000).contains(c))
            .ok_or_else(|| Error::invalid(format!("{field}: bad status code")))
    };
    let active = code("activecode", 200)?;
    let codes = (active, code("sealedcode", 503)?, code("uninitcode", 501)?, code("fencedcode", active)?);
    for field in ["standbycode", "drsecondarycode", "performancestandbycode"] {
        code(field, 200)?;
    }
    let state = core.seal_state().await?;
    let initialized = state.config.is_some();
    let status = match (initialized, state.sealed) {
        (false, _) => codes.2,
        (true, true) => codes.1,
        (true, false) if core.fence.reason().is_some() => codes.3,
        (true, false) => codes.0,
    };
    let mut body = json!({
        "initialized": initialized,
        "sealed": state.sealed,
        "standby": state.sealed,
        "performance_standby": false,
        "replication_performance_mode": "disabled",
        "replication_dr_mode": "disabled",
        "server_time_utc": core.clock.now().seconds(),
        "version": VERSION,
        "enterprise": false,
    });
    if let Some(cluster) = state.cluster {
        body["cluster_name"] = cluster.name.into();
        body["cluster_id"] = cluster.id.into();
    }
    tell_fence(core, state.sealed, &mut body);
    Ok(Response { status: Some(status), ..bare(&body) })
}

/// A mount's TTL setting: seconds, or none where it is to be kept. `system` and 0 mean the system's.
pub(crate) fn ttl_setting(field: &str, value: &Value) -> Result<Option<u64>> {
    match value {
        Value::Null => Ok(None),
        Value::String(s) if s.is_empty() => Ok(None),
        Value::String(s) if s == "system" => Ok(Some(0)),
        other => {
            let seconds = duration::parse(other).map_err(|e| Error::invalid(format!("{field}: {e}")))?;
            let seconds =
                u64::try_from(seconds).map_err(|_| Error::invalid(format!("{field}: must not be negative")))?;
            Ok(Some(seconds))
        }
    }
}
