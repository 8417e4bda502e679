//! What a call on a backend may reach, and for which reason.

use crate::SecretText;

/// The network and the slot of one backend.
#[derive(Clone, Debug)]
pub struct BackendAccess {
    /// As the route or the plan named it.
    pub name: String,
    /// Where it is, if a configuration named an address.
    pub target: Option<Target>,
    /// What may be reached.
    pub grants: Vec<Grant>,
    /// How many calls may hold a connection at once, and what is kept for the next one.
    pub connections: ConnectionLimits,
    /// The slot's secret, JSON text.
    pub secret: Option<SecretText>,
}

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// Grows with every change of the address.
    pub generation: u64,
    /// A name or an address, lower case.
    pub host: String,
    /// TCP.
    pub port: u16,
    /// The field as written, without a literal password.
    pub location: String,
    /// The HTTP endpoints of a backend that is reached so, the first of them at host and port. Empty: TCP to host and
    /// port, and nothing else.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

impl Target {
    /// The holes that it opens.
    pub fn grants(&self) -> Vec<Grant> {
        if self.endpoints.is_empty() {
            let (host, port) = (self.host.clone(), self.port);
            return vec![Grant { host, port, protocol: Protocol::Tcp, origin: GrantOrigin::Derived }];
        }
        self.endpoints.iter().map(|e| e.grant.clone()).collect()
    }
}

/// One HTTP endpoint of a backend.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Endpoint {
    /// The configuration field that names it, or would in place of the policy.
    pub field: String,
    /// Its URL: what an operator wrote, or what the policy says where nothing was written.
    pub location: String,
    /// What it opens.
    pub grant: Grant,
}

/// What an operator wrote about a backend's connections, unchanged; the sandbox policy has the usual values. A call with a
/// backend counts as one connection, and so does an instance that is kept for the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ConnectionLimits {
    /// At once, kept ones included. Zero: the usual number. Negative: no limit of its own.
    pub open: Option<i64>,
    /// Of them, kept for the next call. Zero: as many as may be open. Negative: none.
    pub idle: Option<i64>,
    /// Seconds that one may live. Zero or less: the usual time.
    pub lifetime: Option<i64>,
}

impl ConnectionLimits {
    /// These, and where nothing was written, those of before.
    #[must_use]
    pub fn or(self, before: Self) -> Self {
        Self {
            open: self.open.or(before.open),
            idle: self.idle.or(before.idle),
            lifetime: self.lifetime.or(before.lifetime),
        }
    }
}

/// What [`Engine::target`] read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTarget {
    /// The configuration field that named it.
    pub field: String,
    /// A name or an address, lower case.
    pub host: String,
    /// TCP.
    pub port: u16,
    /// The field as written, without a literal password.
    pub location: String,
    /// The fields that must come again in the same request when host or port change (`password`).
    pub secret_fields: Vec<String>,
    /// See [`Target::endpoints`].
    pub endpoints: Vec<Endpoint>,
}

/// One hole in a compartment: to one host and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    /// A name or a literal address, lower case.
    pub host: String,
    /// TCP.
    pub port: u16,
    /// What may be spoken there.
    #[serde(default)]
    pub protocol: Protocol,
    /// Where it came from.
    pub origin: GrantOrigin,
}

/// What a grant lets an engine speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Anything over TCP, by sockets of the engine's own; and HTTPS by the host.
    #[default]
    Tcp,
    /// HTTP over TLS, which the host speaks.
    Https,
    /// HTTP without TLS, which the host speaks: an operator wrote `http://`.
    Http,
}

/// Where a grant came from. What is shut for derived grants stays open for an operator's explicit word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrantOrigin {
    /// The engine's sandbox policy.
    Policy,
    /// An authorized configuration write.
    Derived,
    /// `-egress` on the mount.
    Operator,
}
