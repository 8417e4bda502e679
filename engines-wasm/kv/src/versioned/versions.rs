//! Deletes versions, brings them back, and destroys them.

use engine_sdk::time::Timestamp;
use engine_sdk::types::{Failure, Kind, Reply, Request};
use engine_sdk::{Context, RouteBuilder, failure};
use serde::Deserialize;

use super::metadata::Version;
use super::{Config, Metadata, store};

pub(super) fn route(pattern: &str, synopsis: &str) -> RouteBuilder {
    engine_sdk::route(pattern)
        .write()
        .field("versions", Kind::CommaIntegers, "The numbers of the versions; unknown ones are passed over.")
        .synopsis(synopsis)
}

#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    versions: Vec<i64>,
}

pub(super) fn delete_latest(ctx: &Context, path: &str) -> Result<Reply, Failure> {
    if let Some(mut metadata) = store::metadata(ctx, path)? {
        let now = ctx.now().into();
        let current = metadata.current;
        if metadata.version_mut(current).is_some_and(|version| mark_deleted(version, now)) {
            store::put_metadata(ctx, path, &metadata)?;
        }
    }
    Ok(Reply::none())
}

pub(super) fn delete(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    let now = ctx.now().into();
    change(ctx, request, path, |_, version| mark_deleted(version, now))
}

pub(super) fn undelete(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    let config = Config::load(ctx)?;
    let now = ctx.now().into();
    change(ctx, request, path, |metadata, version| {
        if version.destroyed {
            return false;
        }
        // The timer begins anew.
        version.deletion = metadata.deletion(now, &config);
        true
    })
}

pub(super) fn destroy(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    change(ctx, request, path, |_, version| {
        if version.destroyed {
            return false;
        }
        version.destroyed = true;
        store::delete_version(ctx, path, version.number);
        true
    })
}

/// Whether it was live until now.
fn mark_deleted(version: &mut Version, now: Timestamp) -> bool {
    let live = version.is_live(|| now);
    if live {
        version.deletion = Some(now);
    }
    live
}

/// Applies `change` to each version that was named and is there; it says whether there is something to store.
fn change(
    ctx: &Context,
    request: &Request,
    path: &str,
    mut change: impl FnMut(&Metadata, &mut Version) -> bool,
) -> Result<Reply, Failure> {
    let sent: Sent = request.fields()?;
    if sent.versions.is_empty() {
        return Err(failure::invalid("No version number provided"));
    }
    let Some(mut metadata) = store::metadata(ctx, path)? else {
        return Ok(Reply::none());
    };
    let mut versions = std::mem::take(&mut metadata.versions);
    let mut changed = false;
    for version in &mut versions {
        let named = sent.versions.iter().any(|number| u64::try_from(*number) == Ok(version.number));
        changed |= named && change(&metadata, version);
    }
    metadata.versions = versions;
    if changed {
        store::put_metadata(ctx, path, &metadata)?;
    }
    Ok(Reply::none())
}
