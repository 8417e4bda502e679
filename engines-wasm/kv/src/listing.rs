//! Pages of names, for both versions.

use engine_sdk::types::{Failure, Kind, Request};
use engine_sdk::{Context, RouteBuilder, failure};
use serde::Deserialize;
use serde_json::Value;

use crate::key;

/// As many as the host takes in one answer.
const MAX_NAMES: usize = 10_000;

/// On a route with open fields both come as they were sent.
#[derive(Deserialize)]
struct Page {
    after: Option<Value>,
    limit: Option<Value>,
}

/// Adds the fields of a page to a route.
pub(crate) fn paged(route: RouteBuilder) -> RouteBuilder {
    route.field("after", Kind::Text, "List only what comes after this name.").field(
        "limit",
        Kind::Integer,
        "List at most so many names; all, if not given or not positive.",
    )
}

/// The names below the folder that the request lists. `roots` are the engine's own prefixes, whose names are merged.
pub(crate) fn names(ctx: &Context, request: &Request, roots: &[&str], folder: &str) -> Result<Vec<String>, Failure> {
    let folder = key::folder(folder)?;
    let page: Page = request.fields()?;
    let after = page.after.as_ref().and_then(Value::as_str).filter(|after| !after.is_empty());
    let count = match &page.limit {
        None => usize::MAX,
        Some(limit) => match integer(limit) {
            Some(limit) if limit > 0 => usize::try_from(limit).unwrap_or(usize::MAX),
            Some(_) => usize::MAX,
            None => return Err(failure::invalid("limit must be an integer")),
        },
    };
    let mut names = Vec::new();
    for root in roots {
        let found = ctx.storage().list_up_to(&format!("{root}{folder}"), after, count.min(MAX_NAMES + 1));
        if names.is_empty() {
            names = found;
        } else if !found.is_empty() {
            names.extend(found);
            names.sort();
            names.dedup();
        }
    }
    names.truncate(count);
    if names.len() > MAX_NAMES {
        return Err(failure::invalid(format!("more than {MAX_NAMES} names: list them in pages, by after and limit")));
    }
    Ok(names)
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}
