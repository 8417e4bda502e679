//! `config/root` and `config/lease`. The keys are in the host's slot; what may be shown is stored in the mount.

use std::time::SystemTime;

use engine_sdk::types::{Failure, Operation, Outcome, Reply, Request};
use engine_sdk::{Context, duration, failure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::names::{self, Named};
use crate::routes::{BACKEND, LEASE, ROOT};

/// The keys of the configured user.
#[derive(Deserialize, Serialize)]
struct Keys {
    access_key: String,
    secret_key: String,
}

/// What is stored and shown. A write replaces all of it.
#[derive(Deserialize, Serialize)]
#[serde(default)]
struct Root {
    region: String,
    iam_endpoint: String,
    sts_endpoint: String,
    sts_region: String,
    max_retries: i64,
    username_template: String,
}

impl Default for Root {
    fn default() -> Self {
        let empty = String::new;
        Self {
            region: empty(),
            iam_endpoint: empty(),
            sts_endpoint: empty(),
            sts_region: empty(),
            max_retries: -1,
            username_template: empty(),
        }
    }
}

/// How long users live where nothing else says so, in seconds.
#[derive(Deserialize, Serialize)]
struct Lease {
    lease: u64,
    lease_max: u64,
}

/// Serves `config/root`.
pub(crate) fn root(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    if request.operation != Operation::Read {
        let keys: Keys = request.fields()?;
        let root: Root = request.fields()?;
        for named in [Named::User, Named::Session] {
            names::name(&root.username_template, named, "token", "role", SystemTime::UNIX_EPOCH)
                .map_err(failure::invalid)?;
        }
        ctx.put_slot(BACKEND, &keys)?;
        ctx.storage().put_json(ROOT, &root)?;
        return Ok(Reply::none().into());
    }
    let Some(root) = ctx.storage().get_json::<Root>(ROOT)? else { return Ok(Reply::none().into()) };
    let keys: Option<Keys> = ctx.slot(BACKEND)?;
    Ok(Reply::data(&json!({
        "access_key": keys.map(|keys| keys.access_key).unwrap_or_default(),
        "region": root.region,
        "iam_endpoint": root.iam_endpoint,
        "sts_endpoint": root.sts_endpoint,
        "sts_region": root.sts_region,
        "max_retries": root.max_retries,
        "username_template": root.username_template,
    }))?
    .into())
}

/// Serves `config/lease`.
pub(crate) fn lease(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    if request.operation != Operation::Read {
        let lease: Lease = request.fields()?;
        if lease.lease > lease.lease_max {
            return Err(failure::invalid("lease is longer than lease_max"));
        }
        ctx.storage().put_json(LEASE, &lease)?;
        return Ok(Reply::none().into());
    }
    let Some(Lease { lease, lease_max }) = ctx.storage().get_json(LEASE)? else { return Ok(Reply::none().into()) };
    let text = |seconds| duration::go_text(i64::try_from(seconds).unwrap_or(i64::MAX));
    Ok(Reply::data(&json!({ "lease": text(lease), "lease_max": text(lease_max) }))?.into())
}
