//! What reviewers may ask: engines with their policies, what was refused, and what the gate would say.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use cofferdam_model::engine::{Catalog, Grant, Protocol};
use cofferdam_model::review::{AddressExplained, Denial, Explained, Instances, PolicyReview, Report, Review, Reviewed};
use cofferdam_model::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};
use wasmtime_wasi::sockets::SocketAddrUse;

use crate::catalog::BuiltinCatalog;
use crate::net::gate::{Gate, LookupError};
use crate::net::http::Destination;
use crate::net::http::traffic::Traffic;
use crate::net::ledger::Origin;
use crate::policy::{Policy, World};
use crate::target;

#[async_trait]
impl Review for BuiltinCatalog {
    async fn engine(&self, kind: &str, load: bool) -> Option<Reviewed> {
        let entry = self.entry(kind)?;
        let trouble = if load { Catalog::engine(self, kind).await.err() } else { None };
        let loaded = entry.loaded();
        let digest = loaded.map(|engine| engine.loaded().digest.clone());
        Some(Reviewed {
            kind: kind.to_owned(),
            digest: digest.unwrap_or_else(|| hex::encode(Sha256::digest(entry.component()))),
            size: entry.component().len(),
            imports: loaded.map(|engine| engine.loaded().imports.clone()),
            trouble: trouble.map(|e| e.messages.join("; ")),
            policy_origin: entry.origin().to_owned(),
            policy: entry.policy().review(),
        })
    }

    fn reports(&self) -> Vec<Report> {
        self.sandbox().reports()
    }

    fn denials(&self) -> Vec<Denial> {
        self.sandbox().denials()
    }

    fn instances(&self) -> Instances {
        let sandbox = self.sandbox();
        let [(places, taken), (reserved, reserved_taken)] = sandbox.permits.slots().map(|(all, taken)| {
            let number = |n| u64::try_from(n).unwrap_or(u64::MAX);
            (number(all), number(taken))
        });
        Instances { places, taken, reserved, reserved_taken, idle: sandbox.kept.by_mount() }
    }

    async fn explain(&self, kind: &str, grants: Option<&[Grant]>, host: &str, port: u16) -> Result<Explained> {
        let entry = self.entry(kind).ok_or_else(|| Error::new(ErrorKind::NotFound, format!("no engine {kind}")))?;
        let no = |reason: &str| Explained { reason: Some(reason.to_owned()), ..Explained::default() };
        if !entry.policy().has_network() {
            return Ok(no("the sandbox policy of the engine lets it import no network"));
        }
        let Some(grants) = grants else { return Ok(no("a call that names no backend has no network")) };
        let policy = entry.policy();
        let border = self.sandbox().border.trial();
        let gate = Gate::shut(Arc::clone(&border));
        let all: Vec<Grant> = grants.iter().chain(&policy.grants).cloned().collect();
        gate.open(Origin::default(), all.clone(), &policy.limits, Traffic::none());
        let Ok(host) = target::host(host) else { return Ok(no("it is no host name and no address")) };
        let said = || border.ledger.denials().pop().map_or_else(|| "refused".to_owned(), |d| d.reason);
        let unknown = |error: &LookupError| match error {
            LookupError::Denied => no(&said()),
            LookupError::Unresolvable => no("it is granted, and the name is not known"),
            LookupError::Timeout => no("it is granted, and the look-up took too long"),
        };
        if policy.speaks_http() {
            let asked =
                [Protocol::Https, Protocol::Http].map(|protocol| Destination { protocol, host: host.clone(), port });
            if let Some(to) = asked.iter().find(|to| all.iter().any(|grant| to.is_granted_by(grant))) {
                return Ok(match gate.addresses(to).await {
                    Ok(open) => {
                        let open =
                            open.into_iter().map(|a| AddressExplained { address: a.ip().to_string(), reason: None });
                        Explained { allowed: true, reason: None, addresses: open.collect() }
                    }
                    Err(error) => unknown(&error),
                });
            }
        }
        let found = match host.parse::<IpAddr>() {
            // An engine needs no look-up for it.
            Ok(literal) => vec![literal],
            Err(_) => match gate.look_up(&host).await {
                Ok(found) => found,
                Err(error) => return Ok(unknown(&error)),
            },
        };
        let ask = |ip: IpAddr| {
            let allowed = gate.permits(SocketAddr::new(ip, port), SocketAddrUse::TcpConnect);
            let said = border.ledger.denials().pop().filter(|_| !allowed);
            AddressExplained { address: ip.to_string(), reason: said.map(|d| d.reason) }
        };
        let addresses: Vec<AddressExplained> = found.into_iter().map(ask).collect();
        let allowed = addresses.iter().any(|a| a.reason.is_none());
        let reason = if allowed { None } else { addresses.first().and_then(|a| a.reason.clone()) };
        Ok(Explained { allowed, reason, addresses })
    }
}

impl Policy {
    fn review(&self) -> PolicyReview {
        let limits = &self.limits;
        let size = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let values = [
            ("memory_mib", u64::from(limits.memory_mib)),
            ("deadline_ms", limits.deadline_ms),
            ("cpu_ms", limits.cpu_ms),
            ("sockets", u64::from(limits.sockets)),
            ("connect_ms", limits.connect_ms),
            ("handles", size(limits.handles)),
            ("log_bytes", size(limits.log_bytes)),
            ("response_bytes", size(limits.response_bytes)),
            ("read_bytes", size(limits.read_bytes)),
            ("write_bytes", size(limits.write_bytes)),
            ("permits", size(limits.permits)),
            ("revoke_permits", size(limits.revoke_permits)),
            ("warm_instances", if limits.warm { size(limits.warm_instances) } else { 0 }),
            ("warm_lifetime_s", limits.warm_lifetime_s),
            ("warm_idle_s", limits.warm_idle_s),
        ];
        let names = |rule: &crate::TargetRule| [rule.route.clone(), rule.field.clone()];
        PolicyReview {
            world: self.world.to_string(),
            imports: self.imports.iter().cloned().collect(),
            limits: values.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            grants: self.grants.clone(),
            targets: self.targets.iter().map(names).collect(),
        }
    }
}

impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secrets => "secrets",
            Self::Issuer => "issuer",
        })
    }
}

#[cfg(test)]
mod tests;
