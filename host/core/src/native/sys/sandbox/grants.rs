//! Grants with their reasons: sandbox policy, configuration, `-egress` of a mount.

use cofferdam_model::engine::{Grant, GrantOrigin, Protocol};
use cofferdam_model::review::Reviewed;
use cofferdam_model::{Response, Result, Timestamp};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::mount_at;
use crate::mounts::MountEntry;
use crate::native::Ctx;
use crate::targets::{Known, operator_grant};

/// A grant of a mount, and where it comes from.
pub(super) struct Reason {
    /// None: every backend.
    pub(super) backend: Option<String>,
    pub(super) grant: Grant,
    /// For people.
    why: String,
    /// The target that it belongs to, if to one.
    generation: Option<u64>,
    /// Calls of leases need it; nothing new is made on it.
    kept: bool,
    by: Option<String>,
    at: Option<String>,
}

pub(super) fn read(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let mounts = match ctx.param("mount") {
            "" => ctx.vault.mounts.all().into_iter().filter(|m| !m.is_builtin()).collect(),
            path => vec![mount_at(&ctx, path)?],
        };
        let mut shown = Vec::new();
        for mount in mounts {
            shown.extend(of(&ctx, &mount).await?.iter().map(|reason| reason.json(&mount)));
        }
        Ok(Response::with_value(&json!({ "grants": shown })))
    })
}

/// All grants of a mount.
pub(super) async fn of(ctx: &Ctx<'_>, mount: &MountEntry) -> Result<Vec<Reason>> {
    let mut all = Vec::new();
    if let Some(engine) = ctx.core.review.engine(&mount.kind, false).await {
        all.extend(engine.policy.grants.iter().map(|grant| by_policy(&engine, grant)));
    }
    for known in ctx.vault.targets.all(&mount.uuid).await? {
        all.extend(known.target.grants().into_iter().map(|grant| by_target(&known, grant)));
    }
    all.extend(mount.config.egress.iter().filter_map(|written| {
        Some(Reason {
            backend: None,
            grant: operator_grant(written)?,
            why: format!("egress={written}, tuned on the mount"),
            generation: None,
            kept: false,
            by: mount.config.egress_by.as_ref().map(|(by, _)| by.clone()),
            at: mount.config.egress_by.as_ref().map(|(_, at)| at.rfc3339()),
        })
    }));
    Ok(all)
}

fn by_policy(engine: &Reviewed, grant: &Grant) -> Reason {
    Reason {
        backend: None,
        grant: grant.clone(),
        why: format!("sandbox policy {}", engine.policy_origin),
        generation: None,
        kept: false,
        by: None,
        at: None,
    }
}

fn by_target(known: &Known, grant: Grant) -> Reason {
    let endpoint = known.target.endpoints.iter().find(|e| e.grant == grant);
    let location = endpoint.map_or(&known.target.location, |e| &e.location);
    let written = known.current.as_ref().map(|c| &c.written);
    let field = endpoint.map(|e| e.field.as_str()).or(written.map(|w| w.field.as_str()));
    let named = match (field.filter(|f| !f.is_empty()), grant.origin) {
        (Some(field), GrantOrigin::Policy) => format!("where {field} is not written: {location}"),
        (Some(field), _) => format!("{field}={location}"),
        (None, _) => location.clone(),
    };
    let path = written.map(|w| w.path.as_str()).filter(|p| !p.is_empty());
    let why = match (&known.current, path) {
        (Some(_), Some(path)) => format!("{path}: {named}"),
        (Some(_), None) => named,
        (None, _) => format!("kept for leases that were made on it: {named}"),
    };
    Reason {
        backend: Some(known.backend.clone()),
        grant,
        why,
        generation: Some(known.target.generation),
        kept: known.current.is_none(),
        by: known.current.as_ref().map(|c| c.written_by.clone()),
        at: written.map(|w| w.at).filter(|at| *at != Timestamp::default()).map(Timestamp::rfc3339),
    }
}

impl Reason {
    /// Whether it names this host and port.
    pub(super) fn names(&self, host: &str, port: u16) -> bool {
        self.grant.port == port && self.grant.host.eq_ignore_ascii_case(host)
    }

    pub(super) fn json(&self, mount: &MountEntry) -> Value {
        json!({
            "mount": mount.path,
            "engine": mount.kind,
            "backend": self.backend.as_deref().unwrap_or("*"),
            "host": self.grant.host,
            "port": self.grant.port,
            "protocol": protocol(self.grant.protocol),
            "origin": origin(self.grant.origin),
            "why": self.why,
            "generation": self.generation,
            "current": !self.kept,
            "written_by": self.by,
            "written_at": self.at,
        })
    }
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Https => "https",
        Protocol::Http => "http",
    }
}

fn origin(origin: GrantOrigin) -> &'static str {
    match origin {
        GrantOrigin::Policy => "policy",
        GrantOrigin::Derived => "configuration",
        GrantOrigin::Operator => "operator",
    }
}
