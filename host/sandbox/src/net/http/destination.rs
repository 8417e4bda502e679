//! Where an HTTP request wants to go: read once, and from then on the only thing that look-up, connection, TLS and the
//! Host header are made from.

use std::fmt;

use cofferdam_model::engine::{Grant, Protocol};

use crate::target::{self, TargetError};

/// Protocol, host and port of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    /// HTTPS or HTTP.
    pub(crate) protocol: Protocol,
    /// A name in lower case, or a canonical address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Destination {
    /// Reads what a request names. Held to the rules for grants: what those would not say, no request can mean.
    pub(crate) fn new(protocol: Protocol, authority: &str) -> Result<Self, TargetError> {
        if authority.contains('\\') {
            return Err(TargetError::Backslash);
        }
        if authority.contains('@') {
            return Err(TargetError::UserInfo);
        }
        let (host, port) = target::host_and_port(authority)?;
        let usual = if protocol == Protocol::Http { 80 } else { 443 };
        Ok(Self { protocol, host, port: port.unwrap_or(usual) })
    }

    /// Reads the examples of policies.
    #[cfg(test)]
    pub(crate) fn parse(url: &str) -> Result<Self, TargetError> {
        let (scheme, authority) = url.split_once("://").ok_or(TargetError::HttpScheme)?;
        let protocol = if scheme == "http" { Protocol::Http } else { Protocol::Https };
        Self::new(protocol, authority)
    }

    /// Whether the grant is one for this. TLS may always be added to what is granted as mere TCP, never taken away.
    pub(crate) fn is_granted_by(&self, grant: &Grant) -> bool {
        let speaks = match self.protocol {
            Protocol::Http => grant.protocol == Protocol::Http,
            Protocol::Https | Protocol::Tcp => matches!(grant.protocol, Protocol::Https | Protocol::Tcp),
        };
        speaks && grant.host == self.host && grant.port == self.port
    }

    /// As the Host header names it.
    pub(crate) fn authority(&self) -> String {
        target::authority(&self.host, self.port, self.protocol)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.protocol == Protocol::Http { "http" } else { "https" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use cofferdam_model::engine::GrantOrigin;

    use super::*;

    #[test]
    fn one_place_has_one_name() {
        for (authority, want) in [
            ("api.corp", "https://api.corp"),
            ("API.corp:443", "https://api.corp"),
            ("api.corp:8443", "https://api.corp:8443"),
            ("[::ffff:10.0.0.7]:80", "https://10.0.0.7:80"),
            ("[2001:DB8::1]", "https://[2001:db8::1]"),
        ] {
            let found = Destination::new(Protocol::Https, authority).map(|d| d.to_string());
            assert_eq!(found.as_deref(), Ok(want), "{authority}");
        }
    }

    #[test]
    fn what_reads_in_two_ways_is_no_place() {
        for authority in [
            "",
            "user@api.corp",
            "api.corp\\@evil.example",
            "evil.example\\@api.corp",
            "api.corp.",
            "api.corp:",
            "api.corp:0",
            "api.corp:65536",
            "api.corp:+443",
            "api.corp:443:80",
            "2130706433",
            "0x7f.1",
            "127.1",
            "0177.0.0.1",
            "api.corp,evil.example",
            "api%2ecorp",
            "*.corp",
            "[::1",
            "[fe80::1%25eth0]",
            "ä.corp",
        ] {
            assert!(Destination::new(Protocol::Https, authority).is_err(), "{authority}");
        }
    }

    #[test]
    fn tls_may_be_added_and_not_taken_away() {
        let grant = |protocol| Grant { host: "a".to_owned(), port: 1, protocol, origin: GrantOrigin::Derived };
        let to = |protocol| Destination { protocol, host: "a".to_owned(), port: 1 };
        for (asked, granted, want) in [
            (Protocol::Https, Protocol::Https, true),
            (Protocol::Https, Protocol::Tcp, true),
            (Protocol::Https, Protocol::Http, false),
            (Protocol::Http, Protocol::Http, true),
            (Protocol::Http, Protocol::Https, false),
            (Protocol::Http, Protocol::Tcp, false),
        ] {
            assert_eq!(to(asked).is_granted_by(&grant(granted)), want, "{asked:?} by {granted:?}");
        }
    }
}
