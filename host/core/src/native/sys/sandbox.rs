//! `sys/sandbox`: what each compartment may do and why, and what it was refused.

use cofferdam_model::review::{Denial, FaultKind, Report, Reviewed};
use cofferdam_model::route::FieldKind::{Integer, Text};
use cofferdam_model::{Error, Response, Result};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

mod explain;
mod grants;

use crate::mounts::MountEntry;
use crate::native::{Ctx, Routes};

pub(super) fn routes(table: Routes) -> Routes {
    table
        .route("sandbox", "The engines: component, imports, sandbox policy, mounts.")
        .read(engines)
        .route("sandbox/grants", "What every backend of every mount may reach, and why. Needs sudo.")
        .sudo()
        .read(grants::read)
        .route("sandbox/grants/{mount*}", "What every backend of a mount may reach, and why. Needs sudo.")
        .sudo()
        .read(grants::read)
        .route("sandbox/denials", "What was refused lately, newest first, and how often since the start. Needs sudo.")
        .sudo()
        .fields(&[("mount", Text, "Only of this mount."), ("limit", Integer, "How many; 100 if not given.")])
        .read(denials)
        .route("sandbox/explain", "Whether a backend of a mount would reach an address, and why. Needs sudo.")
        .sudo()
        .fields(&[
            ("mount", Text, "Whose engine would call."),
            ("backend", Text, "Which configuration the call would name; none: a call without a backend."),
            ("host", Text, "A name or an address."),
            ("port", Integer, "TCP."),
        ])
        .read(explain::read)
}

/// With one slash at the end.
fn slashed(path: &str) -> String {
    format!("{}/", path.trim_matches('/'))
}

/// The engine's mount at this path.
pub(super) fn mount_at(ctx: &Ctx<'_>, path: &str) -> Result<std::sync::Arc<MountEntry>> {
    let path = slashed(path);
    let found = ctx.vault.mounts.at(&path).filter(|m| !m.is_builtin());
    found.ok_or_else(|| Error::invalid(format!("mount: there is no engine at {path}")))
}

fn engines(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let mounts = ctx.vault.mounts.all();
        let reports = ctx.core.review.reports();
        let mut shown = Vec::new();
        for kind in ctx.vault.catalog.kinds() {
            let paths: Vec<&str> = mounts.iter().filter(|m| m.kind == kind).map(|m| m.path.as_str()).collect();
            // What nobody mounted is not compiled only to be shown.
            let Some(engine) = ctx.core.review.engine(&kind, !paths.is_empty()).await else { continue };
            let of_kind = reports.iter().filter(|r| r.engine == kind);
            shown.push(engine_json(&engine, &paths, &of_kind.collect::<Vec<_>>()));
        }
        Ok(Response::with_value(&json!({ "engines": shown })))
    })
}

fn engine_json(engine: &Reviewed, mounts: &[&str], reports: &[&Report]) -> Value {
    let limits: Map<String, Value> = engine.policy.limits.iter().map(|(n, v)| (n.clone(), json!(v))).collect();
    let total = |count: fn(&Report) -> u64| reports.iter().map(|r| count(r)).sum::<u64>();
    json!({
        "type": engine.kind,
        "digest": engine.digest,
        "size": engine.size,
        "imports": engine.imports,
        "trouble": engine.trouble,
        "mounts": mounts,
        "policy": {
            "origin": engine.policy_origin,
            "world": engine.policy.world,
            "imports": engine.policy.imports,
            "limits": limits,
            "targets": engine.policy.targets.iter().map(|[route, field]| json!({ "route": route, "field": field }))
                .collect::<Vec<_>>(),
        },
        "counts": {
            "calls": total(|r| r.counts.calls),
            "faults": total(|r| r.counts.faults.total()),
            "requests": total(|r| r.counts.requests),
            "connections": total(|r| r.counts.connections),
            "denials": total(|r| r.counts.denials),
        },
    })
}

fn denials(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        const USUAL: usize = 100;
        let limit = match ctx.number("limit") {
            0 => USUAL,
            n => usize::try_from(n).map_err(|_| Error::invalid("limit: must not be negative"))?,
        };
        // A mount that is gone may still be asked about.
        let only = Some(ctx.text("mount")).filter(|m| !m.is_empty()).map(slashed);
        let wanted = |mount: &str| only.as_ref().is_none_or(|only| only == mount);
        let all = ctx.core.review.denials();
        let shown: Vec<Value> = all.iter().rev().filter(|d| wanted(&d.mount)).take(limit).map(denial_json).collect();
        let counts: Vec<Value> = (ctx.core.review.reports().iter())
            .filter(|r| r.counts.denials + r.counts.faults.total() > 0 && wanted(&r.mount))
            .map(|r| {
                let faults = FaultKind::ALL.map(|kind| (kind.name().to_owned(), json!(r.counts.faults.of(kind))));
                let faults: Map<String, Value> = faults.into_iter().filter(|(_, count)| *count != 0).collect();
                json!({ "engine": r.engine, "mount": r.mount, "denials": r.counts.denials, "faults": faults })
            })
            .collect();
        Ok(Response::with_value(&json!({ "denials": shown, "counts": counts })))
    })
}

fn denial_json(denial: &Denial) -> Value {
    json!({
        "time": denial.at.rfc3339(),
        "engine": denial.engine,
        "mount": denial.mount,
        "request_id": denial.request_id,
        "attempt": denial.attempt,
        "reason": denial.reason,
    })
}
