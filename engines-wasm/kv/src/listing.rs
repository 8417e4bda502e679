//! Pages of names, for both versions.

use engine_sdk::types::{Failure, Kind, Request};
use engine_sdk::{Context, RouteBuilder};
use serde::Deserialize;

use crate::key;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Page {
    after: Option<String>,
    limit: Option<i64>,
}

/// Adds the fields of a page to a route.
pub(crate) fn paged(route: RouteBuilder) -> RouteBuilder {
    route.field("after", Kind::Text, "List only what comes after this name.").field(
        "limit",
        Kind::Integer,
        "List at most so many names; all, if not given or not positive.",
    )
}

/// The names below the folder that the request lists; `root` is the engine's own prefix.
pub(crate) fn names(ctx: &Context, request: &Request, root: &str, folder: &str) -> Result<Vec<String>, Failure> {
    let prefix = format!("{root}{}", key::folder(folder)?);
    let page: Page = request.fields()?;
    let wanted = page.limit.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let after = page.after.filter(|after| !after.is_empty());
    Ok(ctx.storage().list_up_to(&prefix, after.as_deref(), wanted.unwrap_or(usize::MAX)))
}
