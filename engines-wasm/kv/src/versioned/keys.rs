//! The metadata of keys: read, write, patch, list, and delete with everything below.

use std::collections::BTreeMap;

use engine_sdk::types::{Failure, Kind, Reply, Request, to_json};
use engine_sdk::{Context, RouteBuilder, duration, failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::version_count;
use super::data::cas_number;
use super::{Config, DETAILED, METADATA, Metadata, custom, store};
use crate::listing;

pub(super) fn route() -> RouteBuilder {
    listing::paged(engine_sdk::route(METADATA))
        .read()
        .upsert()
        .patch()
        .delete()
        .list()
        .field("max_versions", Kind::Integer, "How many versions are kept; 0 leaves it to the mount.")
        .field("cas_required", Kind::Boolean, "Whether every write of data must send the option cas.")
        .field("delete_version_after", Kind::Seconds, "When versions delete themselves; 0 leaves it to the mount.")
        .field("custom_metadata", Kind::Any, "Names and texts of your own.")
        .field("metadata_cas_required", Kind::Boolean, "Whether every write of metadata must send metadata_cas.")
        .field("metadata_cas", Kind::Any, "Write only if this is the current metadata version.")
        .synopsis("Settings of a key and facts about its versions.")
}

pub(super) fn detailed_route() -> RouteBuilder {
    listing::paged(engine_sdk::route(DETAILED)).list().synopsis("Lists keys with their metadata.")
}

#[derive(Serialize)]
struct Shown<'a> {
    cas_required: bool,
    created_time: String,
    current_metadata_version: u64,
    current_version: u64,
    custom_metadata: Option<&'a BTreeMap<String, String>>,
    delete_version_after: String,
    max_versions: u32,
    metadata_cas_required: bool,
    oldest_version: u64,
    updated_time: String,
    versions: BTreeMap<String, ShownVersion>,
}

#[derive(Serialize)]
struct ShownVersion {
    created_time: String,
    deletion_time: String,
    destroyed: bool,
}

fn shown(metadata: &Metadata) -> Shown<'_> {
    let versions = metadata.versions.iter().map(|version| {
        let shown = ShownVersion {
            created_time: version.created.to_string(),
            deletion_time: version.deletion.map(|time| time.to_string()).unwrap_or_default(),
            destroyed: version.destroyed,
        };
        (version.number.to_string(), shown)
    });
    Shown {
        cas_required: metadata.cas_required,
        created_time: metadata.created.to_string(),
        current_metadata_version: metadata.metadata_version,
        current_version: metadata.current,
        custom_metadata: metadata.custom.as_ref(),
        delete_version_after: duration::go_text(i64::try_from(metadata.delete_version_after).unwrap_or(i64::MAX)),
        max_versions: metadata.max_versions,
        metadata_cas_required: metadata.metadata_cas_required,
        oldest_version: metadata.oldest,
        updated_time: metadata.updated.to_string(),
        versions: versions.collect(),
    }
}

pub(super) fn read(ctx: &Context, path: &str) -> Result<Reply, Failure> {
    match store::metadata(ctx, path)? {
        Some(metadata) => Reply::data(&shown(&metadata)),
        None => Ok(Reply::none()),
    }
}

pub(super) fn list(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    listing::names(ctx, request, store::ROOTS, path).map(Reply::keys)
}

pub(super) fn list_detailed(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    let names = listing::names(ctx, request, store::ROOTS, path)?;
    let folder = crate::key::folder(path)?;
    let mut info = BTreeMap::new();
    for name in names.iter().filter(|name| !name.ends_with('/')) {
        if let Some(metadata) = store::metadata(ctx, &format!("{folder}{name}"))? {
            info.insert(name, serde_json::value::to_raw_value(&shown(&metadata)).map_err(failure::json)?);
        }
    }
    let info = to_json(&info)?;
    Ok(Reply::keys_with_info(names, info))
}

#[derive(Deserialize)]
struct Sent {
    max_versions: Option<i64>,
    cas_required: Option<bool>,
    metadata_cas_required: Option<bool>,
    metadata_cas: Option<Value>,
    delete_version_after: Option<u64>,
    custom_metadata: Option<Value>,
}

impl Sent {
    /// Whether there is anything to change.
    const fn is_empty(&self) -> bool {
        self.max_versions.is_none()
            && self.cas_required.is_none()
            && self.metadata_cas_required.is_none()
            && self.delete_version_after.is_none()
            && self.custom_metadata.is_none()
    }

    fn check_cas(&self, metadata: &Metadata, config: &Config) -> Result<(), Failure> {
        match &self.metadata_cas {
            Some(cas) if cas_number(cas)? == metadata.metadata_version => Ok(()),
            Some(_) => Err(failure::invalid("metadata check-and-set parameter did not match the current version")),
            None if config.metadata_cas_required || metadata.metadata_cas_required => {
                Err(failure::invalid("metadata check-and-set parameter required for this call"))
            }
            None => Ok(()),
        }
    }

    /// What a write and a patch have in common.
    fn apply(&self, metadata: &mut Metadata) -> Result<(), Failure> {
        if let Some(count) = self.max_versions {
            metadata.max_versions = version_count(count)?;
        }
        if let Some(required) = self.cas_required {
            metadata.cas_required = required;
        }
        if let Some(required) = self.metadata_cas_required {
            metadata.metadata_cas_required = required;
        }
        metadata.metadata_version += 1;
        Ok(())
    }

    fn reply(&self, config: &Config) -> Reply {
        if config.cas_required && self.cas_required == Some(false) {
            Reply::none().warning(
                "\"cas_required\" set to false, but is mandated by backend config. This value will be ignored.",
            )
        } else {
            Reply::none()
        }
    }
}

pub(super) fn write(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    let sent: Sent = request.fields()?;
    if sent.is_empty() {
        return Ok(Reply::none());
    }
    let config = Config::load(ctx)?;
    let mut metadata = store::metadata(ctx, path)?.unwrap_or_else(|| Metadata::new(ctx.now().into()));
    sent.check_cas(&metadata, &config)?;
    sent.apply(&mut metadata)?;
    if let Some(seconds) = sent.delete_version_after {
        metadata.delete_version_after = seconds;
    }
    if let Some(sent) = &sent.custom_metadata {
        metadata.custom = Some(custom::read(sent)?);
    }
    store::put_metadata(ctx, path, &metadata)?;
    Ok(sent.reply(&config))
}

pub(super) fn patch(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    let sent: Sent = request.fields()?;
    let Some(mut metadata) = store::metadata(ctx, path)? else {
        return Ok(Reply::none().status(404));
    };
    if sent.is_empty() {
        return Ok(Reply::none());
    }
    let config = Config::load(ctx)?;
    sent.check_cas(&metadata, &config)?;
    sent.apply(&mut metadata)?;
    // A patch cannot clear the duration: 0 leaves it as it is.
    if let Some(seconds) = sent.delete_version_after.filter(|seconds| *seconds > 0) {
        metadata.delete_version_after = seconds;
    }
    if let Some(changes) = &sent.custom_metadata {
        custom::merge(metadata.custom.get_or_insert_default(), changes)?;
    }
    store::put_metadata(ctx, path, &metadata)?;
    Ok(sent.reply(&config))
}

pub(super) fn delete(ctx: &Context, path: &str) -> Result<Reply, Failure> {
    if let Some(metadata) = store::metadata(ctx, path)? {
        store::delete(ctx, path, &metadata);
    }
    Ok(Reply::none())
}
