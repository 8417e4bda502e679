//! Sandbox policies: what one type of engine may import, use and reach. Written by reviewers in TOML, never by engines.

mod targets;

use std::collections::BTreeSet;
use std::time::Duration;

use cofferdam_model::engine::{Grant, GrantOrigin, NewTarget, Protocol};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::SandboxError;
use crate::connections::ConnectionRule;
use crate::target;

pub(crate) use self::targets::TargetRules;
pub use self::targets::{DefaultRule, ParameterRule, TargetRule};

/// What holds for every engine unless its own policy says otherwise.
const DEFAULTS: &str = include_str!("../../../policies/_defaults.toml");

/// What an engine imports that lets the host speak HTTP for it.
const HTTP: &str = "wasi:http/outgoing-handler";

/// One engine's policy, complete with the defaults.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The engine's type.
    pub engine: String,
    /// Which exports the engine has.
    pub world: World,
    /// Interfaces without version.
    pub imports: BTreeSet<String>,
    /// What a call and a mount may use.
    pub limits: Limits,
    /// Reachable from every call that names a backend.
    pub grants: Vec<Grant>,
    /// Where configurations name backends.
    pub targets: Vec<TargetRule>,
    /// What configurations choose in the hosts that the policy completes.
    pub parameters: Vec<ParameterRule>,
    /// Where configurations limit the connections of their backends.
    pub connections: Option<ConnectionRule>,
    /// Examples that a test replays.
    pub expect: Vec<Expect>,
}

/// The contract's worlds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// No backend.
    Secrets,
    /// Makes credentials in a backend.
    Issuer,
}

/// What a call and a mount may use.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Linear memory of an instance.
    pub memory_mib: u32,
    /// The longest that any call may take, waiting included; the caller may ask for less.
    pub deadline_ms: u64,
    /// Time on the processor in one call.
    pub cpu_ms: u64,
    /// TCP sockets that a call may open.
    pub sockets: u32,
    /// How long one connect may take; for HTTP, with its look-up and its TLS handshake.
    pub connect_ms: u64,
    /// HTTP requests of a call.
    pub http_requests: u32,
    /// Of them, how many at once.
    pub http_at_once: u32,
    /// How long an HTTP answer may make a call wait: for its head, and between two parts of its body.
    pub http_wait_ms: u64,
    /// What a call may send and receive in bodies, each.
    pub http_body_bytes: u64,
    /// Idle HTTP connections of a backend that are kept for its next call.
    pub http_kept: usize,
    /// Handles (streams, sockets, timers) alive at once.
    pub handles: usize,
    /// Log text of a call.
    pub log_bytes: usize,
    /// Body of an answer.
    pub response_bytes: usize,
    /// What a call may read from storage.
    pub read_bytes: usize,
    /// What a call may write to storage.
    pub write_bytes: usize,
    /// Calls of one mount at once.
    pub permits: usize,
    /// More of them, only for revocation.
    pub revoke_permits: usize,
    /// Whether instances are kept for the next call on the same backend.
    pub warm: bool,
    /// The oldest that a kept instance gets.
    pub warm_lifetime_s: u64,
    /// How long a kept instance waits for its next call.
    pub warm_idle_s: u64,
    /// Kept instances of one backend.
    pub warm_instances: usize,
    /// Whether the host may give an answer again, without a call, for as long as all that the call saw is the same.
    pub remember: bool,
}

impl Limits {
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        usize::try_from(self.memory_mib).unwrap_or(usize::MAX).saturating_mul(1 << 20)
    }
}

/// An example: a configuration write, and what it opens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The route's pattern.
    pub route: Option<String>,
    /// The fields of the write.
    #[serde(default)]
    pub given: Map<String, Value>,
    /// The target (`host:port`) that the host reads out of them.
    pub target: Option<String>,
    /// The location that the engine sees.
    pub location: Option<String>,
    /// Part of the message that refuses them.
    pub refused: Option<String>,
    /// The HTTP endpoints that the host reads out of them, all of them in order.
    pub endpoints: Option<Vec<String>>,
    /// `host:port` that the engine then tries to reach.
    pub connect: Option<String>,
    /// `https://host:port` (or with `http`) that the engine then sends a request to.
    pub request: Option<String>,
    /// Addresses that the name has, in place of a real look-up.
    #[serde(default)]
    pub resolves: Vec<std::net::IpAddr>,
    /// Whether it does reach it.
    pub allowed: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    imports: Vec<String>,
    limits: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    engine: String,
    world: World,
    #[serde(default)]
    imports: Vec<String>,
    #[serde(default)]
    limits: toml::Table,
    #[serde(default)]
    grant: Vec<WrittenGrant>,
    #[serde(default)]
    target: Vec<TargetRule>,
    #[serde(default)]
    parameter: Vec<ParameterRule>,
    connections: Option<ConnectionRule>,
    #[serde(default)]
    expect: Vec<Expect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenGrant {
    host: String,
    port: u16,
}

impl Policy {
    /// Reads a policy for the engine of this type, and completes it with the defaults. Unknown keys are errors.
    ///
    /// # Errors
    /// [`SandboxError::Policy`], naming the key.
    pub fn parse(kind: &str, text: &str) -> Result<Self, SandboxError> {
        let refuse = |reason: String| SandboxError::Policy { engine: kind.to_owned(), reason };
        let defaults: Defaults = toml::from_str(DEFAULTS).map_err(|e| refuse(format!("_defaults.toml: {e}")))?;
        let written: Written = toml::from_str(text).map_err(|e| refuse(e.to_string()))?;
        if written.engine != kind {
            return Err(refuse(format!("it is for engine {}", written.engine)));
        }
        let mut limits = defaults.limits;
        limits.extend(written.limits);
        let limits: Limits = limits.try_into().map_err(|e: toml::de::Error| refuse(format!("limits: {e}")))?;
        if limits.memory_bytes() > crate::runtime::MAX_MEMORY {
            return Err(refuse(format!("limits: memory_mib: more than {}", crate::runtime::MAX_MEMORY >> 20)));
        }
        let imports: BTreeSet<String> = defaults.imports.into_iter().chain(written.imports).collect();
        for import in &imports {
            if import.contains('@') || !import.contains('/') {
                return Err(refuse(format!("imports: {import} is no interface without version")));
            }
        }
        let mut grants = Vec::new();
        for grant in written.grant {
            let host = target::host(&grant.host).map_err(|e| refuse(format!("grant: host: {e}")))?;
            if grant.port == 0 {
                return Err(refuse(format!("grant: {host}: port 0")));
            }
            grants.push(Grant { host, port: grant.port, protocol: Protocol::Tcp, origin: GrantOrigin::Policy });
        }
        let (over_http, over_tcp): (Vec<_>, Vec<_>) = written.target.iter().partition(|t| t.grammar.is_http());
        let has_sockets = imports.iter().any(|i| i.starts_with("wasi:sockets/"));
        let has_http = imports.contains(HTTP);
        if !has_sockets && (!over_tcp.is_empty() || !(grants.is_empty() || has_http)) {
            return Err(refuse("it grants network to an engine that imports no sockets".to_owned()));
        }
        if !has_http && !over_http.is_empty() {
            return Err(refuse(format!("it names HTTP endpoints for an engine that does not import {HTTP}")));
        }
        TargetRules { targets: &written.target, parameters: &written.parameter }.check().map_err(refuse)?;
        Ok(Self {
            engine: written.engine,
            world: written.world,
            imports,
            limits,
            grants,
            targets: written.target,
            parameters: written.parameter,
            connections: written.connections,
            expect: written.expect,
        })
    }

    /// Whether a component of this engine may import the interface (its version does not matter).
    pub fn allows(&self, import: &str) -> bool {
        let name = import.split_once('@').map_or(import, |(name, _)| name);
        // The types of the contract are nouns without functions.
        name == "cofferdam:engine/types" || self.imports.contains(name)
    }

    /// Whether calls of this engine may have a backend.
    pub(crate) fn has_network(&self) -> bool {
        self.imports.contains("wasi:sockets/tcp") || self.speaks_http()
    }

    /// Whether the engine may have the host speak HTTP.
    pub(crate) fn speaks_http(&self) -> bool {
        self.imports.contains(HTTP)
    }

    /// What the fields of a write to `route` name as a backend. See `Engine::target`.
    ///
    /// # Errors
    /// [`cofferdam_model::ErrorKind::Invalid`], naming the field.
    pub fn target(&self, route: &str, fields: &Map<String, Value>) -> cofferdam_model::Result<Option<NewTarget>> {
        TargetRules { targets: &self.targets, parameters: &self.parameters }.target(route, fields)
    }
}

#[cfg(test)]
pub(crate) mod tests;
