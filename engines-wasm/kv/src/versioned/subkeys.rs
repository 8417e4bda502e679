//! The shape of a secret without its values.

use engine_sdk::types::{Failure, Kind, Reply, Request, from_json, to_json};
use engine_sdk::{Context, RouteBuilder};
use serde::Deserialize;
use serde_json::Value;

use super::{SUBKEYS, data};

pub(super) fn route() -> RouteBuilder {
    engine_sdk::route(SUBKEYS)
        .read()
        .field("version", Kind::Integer, "The version to read; the latest, if not given or 0.")
        .field("depth", Kind::Integer, "How many levels to show; all, if not given or not positive.")
        .synopsis("Reads the names in a secret; values are shown as null.")
}

#[derive(Deserialize)]
struct Sent {
    depth: Option<i64>,
}

pub(super) fn read(ctx: &Context, request: &Request, path: &str) -> Result<Reply, Failure> {
    let sent: Sent = request.fields()?;
    let levels = sent.depth.filter(|depth| *depth > 0).unwrap_or(i64::MAX);
    data::read_as(ctx, request, path, "subkeys", |text| {
        let mut shape: Value = from_json(&text)?;
        strip(&mut shape, levels);
        to_json(&shape)
    })
}

/// Replaces leaves by null: values, empty objects, and objects below the last level.
fn strip(value: &mut Value, levels: i64) {
    let Some(members) = value.as_object_mut() else {
        *value = Value::Null;
        return;
    };
    for member in members.values_mut() {
        let is_leaf = levels <= 1 || member.as_object().is_none_or(serde_json::Map::is_empty);
        if is_leaf {
            *member = Value::Null;
        } else {
            strip(member, levels - 1);
        }
    }
}
