//! The entries of keys and versions.
//!
//! A mount that was version 1 before keeps its old entries as they are: each reads as the first version of its key, and
//! becomes entries of version 2 with the first change of the key. So an upgrade takes no longer for a larger store.

use engine_sdk::time::Timestamp;
use engine_sdk::types::{Failure, to_json};
use engine_sdk::{Context, failure};

use super::{Config, Metadata};
use crate::{key, plain};

/// When the mount ceased to be version 1; not there if it never was. It is looked at before an old entry is looked for:
/// an entry that is not there and differs from key to key costs a store more than one that does not change.
const UPGRADED: &str = "upgraded";
/// Where the metadata of keys is.
const METADATA_ROOT: &str = "meta/";
/// Where the keys of the mount are named.
pub(super) const ROOTS: &[&str] = &[METADATA_ROOT, plain::ROOT];

fn metadata_key(path: &str) -> String {
    format!("{METADATA_ROOT}{path}")
}

/// The last segment is the number, so no version's key is that of another path.
fn version_key(path: &str, number: u64) -> String {
    format!("data/{path}/{number}")
}

/// Takes over what version 1 left.
pub(crate) fn upgrade(ctx: &Context) -> Result<(), Failure> {
    ctx.storage().put_json(UPGRADED, &Timestamp::from(ctx.now()))
}

pub(super) fn exists(ctx: &Context, path: &str) -> Result<bool, Failure> {
    key::check(path)?;
    let there = |key: &str| ctx.storage().get(key).is_some();
    Ok(there(&metadata_key(path)) || (there(UPGRADED) && there(&plain::entry(path))))
}

pub(super) fn metadata(ctx: &Context, path: &str) -> Result<Option<Metadata>, Failure> {
    key::check(path)?;
    if let Some(metadata) = ctx.storage().get_json(&metadata_key(path))? {
        return Ok(Some(metadata));
    }
    let Some(upgraded) = ctx.storage().get_json(UPGRADED)? else { return Ok(None) };
    Ok(ctx.storage().get(&plain::entry(path)).map(|_| inherited(upgraded)))
}

/// The metadata of a key that is still an entry of version 1.
fn inherited(upgraded: Timestamp) -> Metadata {
    let mut metadata = Metadata::new(upgraded);
    metadata.add_version(upgraded, &Config::default());
    metadata.is_inherited = true;
    metadata
}

pub(super) fn put_metadata(ctx: &Context, path: &str, metadata: &Metadata) -> Result<(), Failure> {
    if metadata.is_inherited {
        if metadata.version(1).is_some_and(|version| !version.destroyed) {
            put_version(ctx, path, 1, &version(ctx, path, metadata, 1)?)?;
        }
        ctx.storage().delete(&plain::entry(path));
    }
    key::put(ctx, &metadata_key(path), to_json(metadata)?.as_bytes())
}

/// Removes a key with all its versions.
pub(super) fn delete(ctx: &Context, path: &str, metadata: &Metadata) {
    if metadata.is_inherited {
        ctx.storage().delete(&plain::entry(path));
        return;
    }
    for version in &metadata.versions {
        delete_version(ctx, path, version.number);
    }
    ctx.storage().delete(&metadata_key(path));
}

/// The JSON text of a version's data.
pub(super) fn version(ctx: &Context, path: &str, metadata: &Metadata, number: u64) -> Result<String, Failure> {
    let text = if metadata.is_inherited && number == 1 {
        plain::body(ctx, path)?
    } else {
        ctx.storage().get_text(&version_key(path, number))?
    };
    text.ok_or_else(|| failure::internal("could not find version data"))
}

pub(super) fn put_version(ctx: &Context, path: &str, number: u64, data: &str) -> Result<(), Failure> {
    key::put(ctx, &version_key(path, number), data.as_bytes())
}

pub(super) fn delete_version(ctx: &Context, path: &str, number: u64) {
    ctx.storage().delete(&version_key(path, number));
}
