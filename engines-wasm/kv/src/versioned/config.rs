//! The mount's own settings.

use engine_sdk::types::{Failure, Kind, Reply, Request};
use engine_sdk::{Context, RouteBuilder, duration, failure};
use serde::{Deserialize, Serialize};

use super::CONFIG;

/// What holds for all keys of the mount.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    /// 0: the engine's own default.
    pub(super) max_versions: u32,
    pub(super) cas_required: bool,
    pub(super) metadata_cas_required: bool,
    /// Seconds. 0: no limit; negative: no version of any key deletes itself.
    pub(super) delete_version_after: i64,
}

impl Config {
    pub(super) fn load(ctx: &Context) -> Result<Self, Failure> {
        Ok(ctx.storage().get_json(CONFIG)?.unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Sent {
    max_versions: Option<i64>,
    cas_required: Option<bool>,
    metadata_cas_required: Option<bool>,
    delete_version_after: Option<i64>,
}

#[derive(Serialize)]
struct Shown {
    cas_required: bool,
    delete_version_after: String,
    max_versions: u32,
    metadata_cas_required: bool,
}

pub(super) fn route() -> RouteBuilder {
    engine_sdk::route(CONFIG)
        .read()
        .write()
        .field("max_versions", Kind::Integer, "How many versions of a key are kept; 0 means 10.")
        .field("cas_required", Kind::Boolean, "Whether every write of data must send the option cas.")
        .field("metadata_cas_required", Kind::Boolean, "Whether every write of metadata must send metadata_cas.")
        .field(
            "delete_version_after",
            Kind::SignedSeconds,
            "When versions delete themselves; 0 means never, a negative duration never and for no key.",
        )
        .synopsis("Settings for all keys of the mount.")
}

pub(super) fn read(ctx: &Context) -> Result<Reply, Failure> {
    let config = Config::load(ctx)?;
    Reply::data(&Shown {
        cas_required: config.cas_required,
        delete_version_after: duration::go_text(config.delete_version_after),
        max_versions: config.max_versions,
        metadata_cas_required: config.metadata_cas_required,
    })
}

pub(super) fn write(ctx: &Context, request: &Request) -> Result<Reply, Failure> {
    let sent: Sent = request.fields()?;
    let mut config = Config::load(ctx)?;
    if let Some(count) = sent.max_versions {
        config.max_versions = version_count(count)?;
    }
    if let Some(required) = sent.cas_required {
        config.cas_required = required;
    }
    if let Some(required) = sent.metadata_cas_required {
        config.metadata_cas_required = required;
    }
    if let Some(seconds) = sent.delete_version_after {
        config.delete_version_after = seconds.max(-1);
    }
    ctx.storage().put_json(CONFIG, &config)?;
    Ok(Reply::none())
}

/// A number of versions as a client sends it.
pub(super) fn version_count(count: i64) -> Result<u32, Failure> {
    u32::try_from(count).map_err(|_| failure::invalid("max_versions must not be negative nor above 4294967295"))
}
