//! `?help=1` and `path-help`: made from the route tables.

use std::sync::Arc;

use cofferdam_model::route::Route;
use cofferdam_model::{Error, ErrorKind, Response, Result};
use serde_json::json;

use super::routes;
use crate::dispatch::Asked;
use crate::vault::Vault;

/// Help for a path. Any valid token may ask.
pub(crate) async fn help(vault: &Arc<Vault>, asked: &Asked<'_>) -> Result<Response> {
    let rest = asked.rest.trim_end_matches('/');
    let text = if asked.mount.is_builtin() {
        let native = routes(&asked.mount.kind);
        if rest.is_empty() {
            Some(overview(&asked.mount.description, native.iter().map(|r| &r.route)))
        } else {
            native.iter().map(|r| &r.route).find(|r| matches(r, rest)).map(|r| of_route(r, rest))
        }
    } else {
        let engine = vault.engine(&asked.mount).await?;
        let description = engine.describe(&asked.mount.path, &asked.mount.options()).await?;
        if rest.is_empty() {
            Some(overview(&description.help, description.routes.iter()))
        } else {
            description.routes.iter().find(|r| matches(r, rest)).map(|r| of_route(r, rest))
        }
    };
    let text = text.ok_or_else(|| Error::new(ErrorKind::UnsupportedPath, "unsupported path"))?;
    let body = json!({ "help": text, "see_also": serde_json::Value::Null, "openapi": serde_json::Value::Null });
    Ok(Response { bare: true, ..Response::with_value(&body) })
}

fn matches(route: &Route, rest: &str) -> bool {
    route.pattern.matches(rest).is_some() || route.pattern.matches(&format!("{rest}/")).is_some()
}

fn overview<'a>(about: &str, routes: impl Iterator<Item = &'a Route>) -> String {
    let mut out = format!(
        "## DESCRIPTION\n\n{}\n\n## PATHS\n\nThe following paths are supported. For help on one of them, ask for its \
         path below this mount.\n\n",
        about.trim()
    );
    for route in routes {
        out.push_str(&format!("    {}\n        {}\n\n", route.pattern.as_str(), route.synopsis));
    }
    out
}

fn of_route(route: &Route, rest: &str) -> String {
    let mut out = format!("Request:        {rest}\nMatching Route: {}\n\n{}\n", route.pattern.as_str(), route.synopsis);
    if !route.fields.is_empty() {
        out.push_str("\n## PARAMETERS\n\n");
        for field in &route.fields {
            let need = if field.required { ", required" } else { "" };
            out.push_str(&format!("    {} ({:?}{need})\n        {}\n\n", field.name, field.kind, field.help));
        }
    }
    if !route.help.is_empty() {
        out.push_str(&format!("\n## DESCRIPTION\n\n{}\n", route.help.trim()));
    }
    out
}
