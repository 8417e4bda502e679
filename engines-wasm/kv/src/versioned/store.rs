//! The entries of keys and versions.

use engine_sdk::types::{Failure, to_json};
use engine_sdk::{Context, failure};

use super::Metadata;
use crate::key;

/// Where the metadata of keys is.
pub(super) const METADATA_ROOT: &str = "meta/";

pub(super) fn metadata_key(path: &str) -> String {
    format!("{METADATA_ROOT}{path}")
}

/// The last segment is the number, so no version's key is that of another path.
fn version_key(path: &str, number: u64) -> String {
    format!("data/{path}/{number}")
}

pub(super) fn metadata(ctx: &Context, path: &str) -> Result<Option<Metadata>, Failure> {
    key::check(path)?;
    ctx.storage().get_json(&metadata_key(path))
}

pub(crate) fn put_metadata(ctx: &Context, path: &str, metadata: &Metadata) -> Result<(), Failure> {
    key::put(ctx, &metadata_key(path), to_json(metadata)?.as_bytes())
}

pub(super) fn delete_metadata(ctx: &Context, path: &str) {
    ctx.storage().delete(&metadata_key(path));
}

/// The JSON text of a version's data.
pub(super) fn version(ctx: &Context, path: &str, number: u64) -> Result<String, Failure> {
    let text = ctx.storage().get_text(&version_key(path, number))?;
    text.ok_or_else(|| failure::internal("could not find version data"))
}

pub(crate) fn put_version(ctx: &Context, path: &str, number: u64, data: &str) -> Result<(), Failure> {
    key::put(ctx, &version_key(path, number), data.as_bytes())
}

pub(super) fn delete_version(ctx: &Context, path: &str, number: u64) {
    ctx.storage().delete(&version_key(path, number));
}
