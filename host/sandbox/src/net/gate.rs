//! The gate of one instance: what its current call may look up and connect to.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cofferdam_model::engine::{Grant, GrantOrigin, Protocol};
use wasmtime_wasi::sockets::SocketAddrUse;

use super::address::Shut;
use super::http::Destination;
use super::http::pool::Pool;
use super::http::traffic::Traffic;
use super::ledger::{Ledger, Origin, Row};
use super::resolver::{Found, Resolver};
use crate::policy::Limits;

/// What all gates of a server share.
pub(crate) struct Border {
    pub(crate) shut: Shut,
    pub(crate) resolver: Box<dyn Resolver>,
    pub(crate) ledger: Ledger,
    /// For HTTPS that the host speaks.
    pub(crate) tls: Arc<rustls::ClientConfig>,
    /// HTTP connections between requests.
    pub(crate) pool: Pool,
}

impl Border {
    /// The same rules with a ledger of its own, to ask what a gate would say.
    pub(crate) fn trial(self: &Arc<Self>) -> Arc<Self> {
        let resolver = Box::new(Through(Arc::clone(self)));
        Arc::new(Self {
            shut: self.shut.clone(),
            resolver,
            ledger: Ledger::trial(),
            tls: Arc::clone(&self.tls),
            pool: Pool::default(),
        })
    }
}

/// Another border's resolver.
struct Through(Arc<Border>);

impl Resolver for Through {
    fn resolve(&self, name: String) -> Found {
        self.0.resolver.resolve(name)
    }
}

/// Look-ups of one call. Drivers need one or two.
const MAX_LOOKUPS: u32 = 64;
/// Refusals of one call that are logged and listed; more are only counted, so that nobody floods the list.
const MAX_DENIALS: u32 = 16;

/// Why a look-up gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupError {
    /// Not granted; nothing was asked.
    Denied,
    /// Granted, and unknown or out of reach.
    Unresolvable,
    /// Granted, and the resolver did not answer in time.
    Timeout,
}

/// Lets pass what the current call's grants say, and nothing else.
pub(crate) struct Gate {
    border: Arc<Border>,
    inner: Mutex<Inner>,
}

struct Inner {
    origin: Origin,
    grants: Vec<Grant>,
    /// Addresses that this call's look-ups of granted names gave, with the granted port.
    pins: HashSet<(IpAddr, u16)>,
    sockets_left: u32,
    requests_left: u32,
    lookups_left: u32,
    /// Refusals that are still written down one by one.
    denials_left: u32,
    connect_within: Duration,
    /// The call's share of HTTP.
    traffic: Arc<Traffic>,
}

impl Gate {
    /// A gate that lets nothing pass.
    pub(crate) fn shut(border: Arc<Border>) -> Self {
        let inner = Inner {
            origin: Origin::default(),
            grants: Vec::new(),
            pins: HashSet::new(),
            sockets_left: 0,
            requests_left: 0,
            lookups_left: 0,
            denials_left: 0,
            connect_within: Duration::ZERO,
            traffic: Arc::new(Traffic::none()),
        };
        Self { border, inner: Mutex::new(inner) }
    }

    /// What this gate shares with all others.
    pub(crate) fn border(&self) -> &Border {
        &self.border
    }

    /// The share of HTTP that the current call has.
    pub(crate) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.lock().traffic)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens it for one call.
    pub(crate) fn open(&self, origin: Origin, grants: Vec<Grant>, limits: &Limits, traffic: Traffic) {
        let canonical = |g: Grant| Grant { host: crate::target::host(&g.host).unwrap_or(g.host), ..g };
        *self.lock() = Inner {
            origin,
            grants: grants.into_iter().map(canonical).collect(),
            pins: HashSet::new(),
            sockets_left: limits.sockets,
            requests_left: limits.http_requests,
            lookups_left: MAX_LOOKUPS,
            denials_left: MAX_DENIALS,
            connect_within: Duration::from_millis(limits.connect_ms),
            traffic: Arc::new(traffic),
        };
    }

    /// Shuts it after a call: an idle instance reaches nothing.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.grants.clear();
        inner.pins.clear();
        inner.sockets_left = 0;
        inner.requests_left = 0;
        std::mem::replace(&mut inner.traffic, Arc::new(Traffic::none())).end();
    }

    pub(crate) fn connect_within(&self) -> Duration {
        self.lock().connect_within
    }

    /// Where the traffic of the current call is counted.
    pub(crate) fn row(&self) -> Arc<Row> {
        let origin = self.lock().origin.clone();
        self.border.ledger.row(&origin.engine, &origin.mount)
    }

    pub(crate) fn deny(&self, attempt: String, reason: &str) {
        let mut inner = self.lock();
        let left = inner.denials_left.checked_sub(1);
        inner.denials_left = left.unwrap_or(0);
        let origin = inner.origin.clone();
        drop(inner);
        self.border.ledger.denied(&origin, left.map(|_| attempt), reason);
    }

    /// Takes one socket from the call's allowance.
    pub(crate) fn take_socket(&self) -> bool {
        let mut inner = self.lock();
        let left = inner.sockets_left.checked_sub(1);
        inner.sockets_left = left.unwrap_or(0);
        drop(inner);
        if left.is_none() {
            self.deny("open a socket".to_owned(), "the call has used up its sockets");
        }
        left.is_some()
    }

    /// The addresses of a granted host; nothing is asked for any other.
    pub(crate) async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let (origin, grants, is_over) = {
            let mut inner = self.lock();
            let left = inner.lookups_left.checked_sub(1);
            inner.lookups_left = left.unwrap_or(0);
            (inner.origin.clone(), inner.grants.clone(), left.is_none())
        };
        let attempt = || format!("look up {}", printable(name));
        if is_over {
            self.deny(attempt(), "the call has used up its look-ups");
            return Err(LookupError::Denied);
        }
        let Ok(host) = crate::target::host(name) else {
            self.deny(attempt(), "it is no host name");
            return Err(LookupError::Denied);
        };
        let granted: Vec<&Grant> = grants.iter().filter(|g| g.protocol == Protocol::Tcp && g.host == host).collect();
        if granted.is_empty() {
            self.deny(attempt(), "no grant names this host");
            return Err(LookupError::Denied);
        }
        if let Ok(literal) = host.parse::<IpAddr>() {
            return Ok(vec![literal]);
        }
        self.border.ledger.count(&origin.engine, &origin.mount, |c| c.lookups += 1);
        let found = self.resolve(host).await?;
        let mut open = Vec::new();
        let mut refused = None;
        for ip in found {
            for grant in &granted {
                match self.border.shut.reason(ip, grant.port) {
                    None => {
                        self.lock().pins.insert((ip, grant.port));
                        if !open.contains(&ip) {
                            open.push(ip);
                        }
                    }
                    Some(reason) => refused = Some((ip, reason)),
                }
            }
        }
        match refused {
            Some((ip, reason)) if open.is_empty() => {
                self.deny(format!("{} as {ip}", attempt()), reason);
                Err(LookupError::Denied)
            }
            _ if open.is_empty() => Err(LookupError::Unresolvable),
            _ => Ok(open),
        }
    }

    async fn resolve(&self, host: String) -> Result<Vec<IpAddr>, LookupError> {
        let found = self.border.resolver.resolve(host).await.map_err(|e| match e.kind() {
            std::io::ErrorKind::TimedOut => LookupError::Timeout,
            _ => LookupError::Unresolvable,
        })?;
        Ok(found.iter().map(IpAddr::to_canonical).collect())
    }

    /// Whether a request may go there: a redirect elsewhere asks again.
    pub(crate) fn admit(&self, to: &Destination) -> Result<(), LookupError> {
        let mut inner = self.lock();
        let left = inner.requests_left.checked_sub(1);
        inner.requests_left = left.unwrap_or(0);
        let is_granted = inner.grants.iter().any(|g| to.is_granted_by(g));
        let origin = inner.origin.clone();
        drop(inner);
        let refused = match left {
            None => "the call has used up its requests",
            Some(_) if is_granted => {
                self.border.ledger.count(&origin.engine, &origin.mount, |c| c.requests += 1);
                return Ok(());
            }
            Some(_) => "no grant names this host and port",
        };
        self.deny(format!("request {to}"), refused);
        Err(LookupError::Denied)
    }

    /// Where a request may connect to: addresses that were looked up once, and looked at. Only what [`Gate::admit`] let
    /// pass comes here.
    pub(crate) async fn addresses(&self, to: &Destination) -> Result<Vec<SocketAddr>, LookupError> {
        let (origin, is_explicit, is_over) = {
            let mut inner = self.lock();
            let explicit = |g: &Grant| g.origin == GrantOrigin::Operator && to.is_granted_by(g);
            let left = inner.lookups_left.checked_sub(1);
            inner.lookups_left = left.unwrap_or(0);
            (inner.origin.clone(), inner.grants.iter().any(explicit), left.is_none())
        };
        if is_over {
            self.deny(format!("request {to}"), "the call has used up its look-ups");
            return Err(LookupError::Denied);
        }
        let literal: Option<IpAddr> = to.host.parse().ok();
        let found = match literal {
            Some(ip) => vec![ip],
            None => {
                self.border.ledger.count(&origin.engine, &origin.mount, |c| c.lookups += 1);
                self.resolve(to.host.clone()).await?
            }
        };
        let mut open = Vec::new();
        let mut refused = None;
        for ip in found {
            // An operator's own word opens even what is shut for everybody else; no name does.
            let reason = if literal.is_some() && is_explicit { None } else { self.border.shut.reason(ip, to.port) };
            match reason {
                None => open.push(SocketAddr::new(ip, to.port)),
                Some(reason) => refused = Some((ip, reason)),
            }
        }
        match refused {
            Some((ip, reason)) if open.is_empty() => {
                self.deny(format!("request {to} at {ip}"), reason);
                Err(LookupError::Denied)
            }
            _ if open.is_empty() => Err(LookupError::Unresolvable),
            _ => Ok(open),
        }
    }

    /// Writes down a connection that the host makes for the call.
    pub(crate) fn connected(&self, to: SocketAddr) {
        let origin = self.lock().origin.clone();
        self.border.ledger.connected(&origin, to);
    }

    /// Decides about one use of an address. Called by the socket implementation before every system call.
    pub(crate) fn permits(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        let ip = address.ip().to_canonical();
        let port = address.port();
        let inner = self.lock();
        let origin = inner.origin.clone();
        let refused = match purpose {
            // A connect asks for this first.
            SocketAddrUse::TcpBind if ip.is_unspecified() && port == 0 => {
                if !inner.grants.is_empty() {
                    return true;
                }
                Some("the call has no network")
            }
            SocketAddrUse::TcpConnect => {
                let pinned = inner.pins.contains(&(ip, port));
                let literal = inner
                    .grants
                    .iter()
                    .filter(|g| g.protocol == Protocol::Tcp && g.port == port && g.host.parse() == Ok(ip))
                    .map(|g| g.origin)
                    .collect::<Vec<_>>();
                if literal.contains(&GrantOrigin::Operator) {
                    // An operator's own word opens even what is shut for everybody else.
                    None
                } else if pinned || !literal.is_empty() {
                    self.border.shut.reason(ip, port)
                } else {
                    Some("no grant names it, and no look-up of a granted name gave it")
                }
            }
            _ => Some("only outgoing TCP connections exist"),
        };
        drop(inner);
        match refused {
            None => {
                self.border.ledger.connected(&origin, SocketAddr::new(ip, port));
                true
            }
            Some(reason) => {
                self.deny(format!("{} {address}", verb(purpose)), reason);
                false
            }
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.close();
    }
}

fn verb(purpose: SocketAddrUse) -> &'static str {
    match purpose {
        SocketAddrUse::TcpConnect => "connect",
        SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => "bind",
        SocketAddrUse::TcpListen => "listen",
        SocketAddrUse::TcpAccept => "accept",
        SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => "udp",
    }
}

/// A name from a guest, fit for a log line.
pub(crate) fn printable(name: &str) -> String {
    name.chars().take(253).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}

#[cfg(test)]
pub(crate) mod tests;
