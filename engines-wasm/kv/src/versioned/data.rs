//! Secrets: read, write, patch.

use std::collections::BTreeMap;

use engine_sdk::time::Timestamp;
use engine_sdk::types::{Failure, Kind, Reply, Request, from_json, to_json};
use engine_sdk::{Context, RouteBuilder, failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::metadata::Version;
use super::{Config, DATA, Metadata, patch, store};
use crate::key;

pub(super) fn route() -> RouteBuilder {
    engine_sdk::route(DATA)
        .read()
        .upsert()
        .patch()
        .delete()
        .field("version", Kind::Integer, "The version to read; the latest, if not given or 0.")
        .field("data", Kind::Object, "The secret: a JSON object.")
        .field(
            "options",
            Kind::Object,
            "`cas`: write only if this is the number of the latest version; 0: if there is none.",
        )
        .synopsis("Reads, writes, patches and deletes the latest version of a secret.")
}

/// A version's metadata as clients see it.
#[derive(Serialize)]
struct Shown<'a> {
    created_time: String,
    custom_metadata: Option<&'a BTreeMap<String, String>>,
    deletion_time: String,
    destroyed: bool,
    version: u64,
}

pub(super) fn shown(metadata: &Metadata, version: &Version) -> Result<String, Failure> {
    to_json(&Shown {
        created_time: version.created.to_string(),
        custom_metadata: metadata.custom.as_ref(),
        deletion_time: version.deletion.map(|time| time.to_string()).unwrap_or_default(),
        destroyed: version.destroyed,
        version: version.number,
    })
}

#[derive(Deserialize)]
struct Which {
    version: Option<i64>,
}

/// Answers with one version: `member` holds what `show` makes of its data, null where it is deleted or destroyed.
pub(super) fn read_as(
    ctx: &Context,
    request: &Request,
    path: &str,
    member: &str,
    show: impl FnOnce(String) -> Result<String, Failure>,
) -> Result<Reply, Failure> {
    let which: Which = request.fields()?;
    let Some(metadata) = store::metadata(ctx, path)? else {
        return Ok(Reply::none());
    };
    // A negative number is as good as none.
    let number = which.version.and_then(|version| u64::try_from(version).ok()).unwrap_or(0);
    let Some(version) = metadata.version(number) else {
        return Ok(Reply::none());
    };
    let about = shown(&metadata, version)?;
    if version.is_live(|| ctx.now().into()) {
        let data = show(store::version(ctx, path, &metadata, version.number)?)?;
        Ok(Reply::raw(format!("{{\"{member}\":{data},\"metadata\":{about}}}")))
    } else {
        Ok(Reply::raw(format!("{{\"{member}\":null,\"metadata\":{about}}}")).status(404))
    }
}

pub(super) fn read(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    // The stored text is spliced in as it is: nothing looks into it.
    read_as(ctx, request, path, "data", Ok)
}

/// A write or a patch, as sent.
#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    options: Option<WriteOptions>,
}

#[derive(Deserialize)]
struct WriteOptions {
    /// `Some(Null)` where it was sent as null.
    #[serde(default, deserialize_with = "present")]
    cas: Option<Value>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl<'a> Sent<'a> {
    fn data(&self) -> Result<&'a str, Failure> {
        self.data.map(RawValue::get).ok_or_else(|| failure::invalid("no data provided"))
    }

    fn check_cas(&self, metadata: &Metadata, config: &Config) -> Result<(), Failure> {
        match self.options.as_ref().and_then(|options| options.cas.as_ref()) {
            Some(cas) if cas_number(cas)? == metadata.current => Ok(()),
            Some(_) => Err(failure::invalid("check-and-set parameter did not match the current version")),
            None if config.cas_required || metadata.cas_required => {
                Err(failure::invalid("check-and-set parameter required for this call"))
            }
            None => Ok(()),
        }
    }
}

/// A number or its text; null and "" are 0.
pub(super) fn cas_number(cas: &Value) -> Result<u64, Failure> {
    let number = match cas {
        Value::Null => Some(0),
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => text.parse().ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.ok_or_else(|| failure::invalid("error parsing check-and-set parameter"))
}

pub(super) fn write(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    let sent: Sent<'_> = request.fields()?;
    let data = sent.data()?;
    key::check_depth(&request.fields)?;
    let config = Config::load(ctx)?;
    let now = ctx.now().into();
    let metadata = store::metadata(ctx, path)?.unwrap_or_else(|| Metadata::new(now));
    sent.check_cas(&metadata, &config)?;
    add(ctx, path, metadata, &config, now, data)
}

pub(super) fn patch(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    let sent: Sent<'_> = request.fields()?;
    let merge: Value = from_json(sent.data()?)?;
    key::check_depth(&request.fields)?;
    let Some(metadata) = store::metadata(ctx, path)? else {
        return Ok(Reply::none().status(404));
    };
    let config = Config::load(ctx)?;
    sent.check_cas(&metadata, &config)?;
    let Some(version) = metadata.version(0) else {
        return Ok(Reply::none().status(404));
    };
    let now = ctx.now().into();
    if !version.is_live(|| now) {
        return Ok(Reply::raw(shown(&metadata, version)?).status(404));
    }
    let mut data: Value = from_json(&store::version(ctx, path, &metadata, version.number)?)?;
    patch::merge(&mut data, merge);
    add(ctx, path, metadata, &config, now, &to_json(&data)?)
}

/// Writes the next version.
fn add(
    ctx: &Context,
    path: &str,
    mut metadata: Metadata,
    config: &Config,
    now: Timestamp,
    data: &str,
) -> Result<Reply, Failure> {
    for number in metadata.add_version(now, config) {
        store::delete_version(ctx, path, number);
    }
    store::put_version(ctx, path, metadata.current, data)?;
    store::put_metadata(ctx, path, &metadata)?;
    let version = metadata.version(0).ok_or_else(|| failure::internal("the new version is not there"))?;
    Ok(Reply::raw(shown(&metadata, version)?))
}
