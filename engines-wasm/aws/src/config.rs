//! `config/root` and `config/lease`. The keys are in the host's slot; what may be shown is stored in the mount.

use std::time::SystemTime;

use engine_sdk::types::{Failure, Operation, Outcome, Reply, Request};
use engine_sdk::{Context, duration, failure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Keys;
use crate::names::{self, Named};
use crate::place::Regions;
use crate::routes::{BACKEND, LEASE, ROOT};

/// What is stored and shown. A write replaces all of it.
#[derive(Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Root {
    /// As it was written. The slot has the current one.
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) iam_endpoint: String,
    pub(crate) sts_endpoint: String,
    pub(crate) sts_region: String,
    pub(crate) sts_fallback_endpoints: Vec<String>,
    pub(crate) sts_fallback_regions: Vec<String>,
    pub(crate) max_retries: i64,
    pub(crate) username_template: String,
}

impl Default for Root {
    fn default() -> Self {
        Self {
            access_key: String::new(),
            region: String::new(),
            iam_endpoint: String::new(),
            sts_endpoint: String::new(),
            sts_region: String::new(),
            sts_fallback_endpoints: Vec::new(),
            sts_fallback_regions: Vec::new(),
            max_retries: -1,
            username_template: String::new(),
        }
    }
}

impl Root {
    /// The configuration.
    pub(crate) fn load(ctx: &Context) -> Result<Self, Failure> {
        let stored = ctx.storage().get_json(ROOT)?;
        stored.ok_or_else(|| failure::invalid("no configuration: write access_key and secret_key to config/root"))
    }

    /// What a lease remembers of it.
    pub(crate) fn regions(&self) -> Regions {
        Regions {
            region: self.region.clone(),
            sts_region: self.sts_region.clone(),
            sts_fallback_regions: self.sts_fallback_regions.clone(),
            max_retries: self.max_retries,
        }
    }

    fn check(&self) -> Result<(), Failure> {
        for named in [Named::User, Named::Session] {
            names::name(&self.username_template, named, "token", "role", SystemTime::UNIX_EPOCH)
                .map_err(failure::invalid)?;
        }
        let (endpoints, regions) = (self.sts_fallback_endpoints.len(), self.sts_fallback_regions.len());
        if endpoints != regions {
            return Err(failure::invalid("sts_fallback_endpoints and sts_fallback_regions go together, one for one"));
        }
        Ok(())
    }
}

/// How long users live where nothing else says so, in seconds.
#[derive(Default, Deserialize, Serialize)]
pub(crate) struct Lease {
    pub(crate) lease: u64,
    pub(crate) lease_max: u64,
}

impl Lease {
    /// What was configured; zeros where nothing was.
    pub(crate) fn load(ctx: &Context) -> Result<Self, Failure> {
        Ok(ctx.storage().get_json(LEASE)?.unwrap_or_default())
    }
}

/// Serves `config/root`.
pub(crate) fn root(ctx: &Context, request: &Request) -> Result<Outcome, Failure> {
    if request.operation != Operation::Read {
        refuse_identities(request)?;
        let keys: Keys = request.fields()?;
        let root: Root = request.fields()?;
        root.check()?;
        ctx.put_slot(BACKEND, &keys)?;
        ctx.storage().put_json(ROOT, &root)?;
        return Ok(Reply::none().into());
    }
    let Some(root) = ctx.storage().get_json::<Root>(ROOT)? else { return Ok(Reply::none().into()) };
    let keys: Option<Keys> = ctx.slot(BACKEND)?;
    let mut shown = serde_json::to_value(&root).map_err(failure::json)?;
    shown["access_key"] = keys.map(|keys| keys.access_key).unwrap_or_default().into();
    Ok(Reply::data(&shown)?.into())
}

/// Identities that a compartment cannot have.
fn refuse_identities(request: &Request) -> Result<(), Failure> {
    let fields: serde_json::Map<String, Value> = request.fields()?;
    let sent = |name: &str| fields.get(name).is_some_and(|value| !matches!(value, Value::Null) && value != "");
    match ["role_arn", "identity_token_audience", "identity_token_key", "rotation_schedule"]
        .into_iter()
        .find(|name| sent(name))
    {
        Some(name) => Err(failure::unsupported(format!(
            "{name}: this server signs no identity tokens and rotates on request only; give access_key and secret_key"
        ))),
        None => Ok(()),
    }
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
