//! Would this backend of this mount reach that address? The gate is asked; the grants that it had are shown beside.

use cofferdam_model::{Error, Response, Result};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{grants, mount_at};
use crate::native::Ctx;

pub(super) fn read(ctx: Ctx<'_>) -> BoxFuture<'_, Result<Response>> {
    Box::pin(async move {
        let mount = mount_at(&ctx, ctx.text("mount"))?;
        let host = ctx.text("host").trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(Error::invalid("host: a name or an address is required"));
        }
        let port = u16::try_from(ctx.number("port")).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| Error::invalid("port: must be a number from 1 to 65535"))?;
        let backend = Some(ctx.text("backend")).filter(|b| !b.is_empty());
        let access = match backend {
            Some(backend) => Some(ctx.vault.targets.access(&mount, backend).await?),
            None => None,
        };
        let offered = access.as_ref().map(|a| a.grants.as_slice());
        let said = ctx.core.review.explain(&mount.kind, offered, host, port).await?;
        let rules: Vec<Value> = (grants::of(&ctx, &mount).await?.iter())
            .filter(|reason| reason.backend.as_deref().is_none_or(|of| Some(of) == backend))
            .map(|reason| {
                let mut rule = reason.json(&mount);
                rule["names_it"] = json!(backend.is_some() && reason.names(host, port));
                rule
            })
            .collect();
        let addresses: Vec<Value> = (said.addresses.iter())
            .map(|a| json!({ "address": a.address, "allowed": a.reason.is_none(), "reason": a.reason }))
            .collect();
        let configured = access.as_ref().is_some_and(|a| a.target.is_some());
        let mut response = Response::with_value(&json!({
            "mount": mount.path,
            "engine": mount.kind,
            "backend": backend,
            "host": host,
            "port": port,
            "allowed": said.allowed,
            "reason": said.reason,
            "addresses": addresses,
            "rules": rules,
        }));
        if let Some(backend) = backend.filter(|_| !configured) {
            response = response.warn(format!("no configuration of {} names an address for {backend:?}", mount.path));
        }
        Ok(response)
    })
}
