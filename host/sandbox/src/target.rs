//! Reads backends' addresses out of configuration fields, each by the grammar that the policy names for it.

mod https_url;
mod postgres_url;
mod word;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cofferdam_model::engine::Protocol;
use serde::Deserialize;

pub(crate) use self::https_url::authority;
pub use self::word::Word;

/// How a field that names a backend is written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Grammar {
    /// `postgresql://user:password@host:port/database?options`.
    PostgresUrl,
    /// `https://host:port/path`, or with `http`.
    HttpsUrl,
}

impl Grammar {
    /// The address in the text.
    ///
    /// # Errors
    /// What is wrong with it, without repeating any part that may be secret.
    pub(crate) fn parse(self, text: &str) -> Result<Address, TargetError> {
        match self {
            Self::PostgresUrl => postgres_url::parse(text),
            Self::HttpsUrl => https_url::parse(text),
        }
    }

    /// Whether the host speaks to such a backend.
    pub(crate) fn is_http(self) -> bool {
        match self {
            Self::PostgresUrl => false,
            Self::HttpsUrl => true,
        }
    }
}

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name in lower case, or a canonical address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
    /// The text without a literal password; of an endpoint, in its one form.
    pub(crate) location: String,
}

/// Why a field names no backend. Never contains what was written: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("is longer than 4096 bytes")]
    TooLong,
    #[error("contains a control character, a space or a character outside of ASCII")]
    Character,
    #[error("contains a backslash")]
    Backslash,
    #[error("must begin with postgresql:// or postgres:// (no other database is here, and no other form)")]
    Scheme,
    #[error("must begin with https:// (or with http://, where that is meant)")]
    HttpScheme,
    #[error("has a query or a fragment")]
    Query,
    #[error("has a user or a password")]
    UserInfo,
    #[error("has a placeholder")]
    Placeholder,
    #[error("contains a fragment (#); write %23 in a password")]
    Fragment,
    #[error("has more than one @ before the path; write %40 in a user or a password")]
    TwoAts,
    #[error("may hold {{{{username}}}} and {{{{password}}}} as user and password, and no other template anywhere")]
    Template,
    #[error("has a percent sign that encodes nothing")]
    Percent,
    #[error("names no host")]
    NoHost,
    #[error("names several hosts; exactly one is possible")]
    SeveralHosts,
    #[error("names a Unix socket or an encoded host; a plain host name is needed")]
    EncodedHost,
    #[error("has a host that is neither a name nor an address in its usual notation")]
    Host,
    #[error("has a port that is not between 1 and 65535")]
    Port,
    #[error("has a path with more than a database name")]
    Path,
    #[error(
        "overrides in its options what stands before them (host, port, user, password, database or a service file)"
    )]
    Override,
    #[error("has the same option twice")]
    TwiceOption,
}

/// What every grammar asks of a text first: short, of characters that print, without a backslash.
fn plain(text: &str, max_bytes: usize) -> Result<(), TargetError> {
    if text.len() > max_bytes {
        return Err(TargetError::TooLong);
    }
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(TargetError::Character);
    }
    if text.contains('\\') {
        return Err(TargetError::Backslash);
    }
    Ok(())
}

/// A host as grants write it: a name in lower case, or a canonical address.
///
/// Numbers that resolvers would read as an address (`127.1`, `0x7f000001`, `2130706433`) are refused, since the eye does
/// not.
pub(crate) fn host(text: &str) -> Result<String, TargetError> {
    if text.is_empty() {
        return Err(TargetError::NoHost);
    }
    if text.contains(',') {
        return Err(TargetError::SeveralHosts);
    }
    if text.contains(['%', '/']) {
        return Err(TargetError::EncodedHost);
    }
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(TargetError::Host)?;
        let address: Ipv6Addr = inner.parse().map_err(|_| TargetError::Host)?;
        return Ok(IpAddr::V6(address).to_canonical().to_string());
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().to_string());
    }
    let name = text.to_ascii_lowercase();
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() > 253 || !name.split('.').all(label) || ends_in_number(&name) {
        return Err(TargetError::Host);
    }
    Ok(name)
}

/// The URL standard's test for "this is meant to be an IPv4 address".
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
    (hex || last.bytes().all(|b| b.is_ascii_digit())) && name.parse::<Ipv4Addr>().is_err()
}

/// `host` or `host:port`, an IPv6 address in brackets.
pub(crate) fn host_and_port(text: &str) -> Result<(String, Option<u16>), TargetError> {
    if text.contains(',') {
        return Err(TargetError::SeveralHosts);
    }
    let (name, number) = if text.starts_with('[') {
        let end = text.find(']').ok_or(TargetError::Host)?;
        match text[end + 1..].strip_prefix(':') {
            Some(number) => (&text[..=end], Some(number)),
            None if end + 1 == text.len() => (text, None),
            None => return Err(TargetError::Host),
        }
    } else {
        match text.split_once(':') {
            Some((name, number)) => (name, Some(number)),
            None => (text, None),
        }
    };
    Ok((host(name)?, number.map(port).transpose()?))
}

/// `host:port`, as in the examples of policies.
///
/// # Errors
/// What is wrong with it.
#[cfg(test)]
pub(crate) fn host_port(text: &str) -> Result<(String, u16), TargetError> {
    let (name, port) = text.rsplit_once(':').ok_or(TargetError::Port)?;
    Ok((host(name)?, self::port(port)?))
}

/// Decimal digits only: no sign, no space.
fn port(text: &str) -> Result<u16, TargetError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(TargetError::Port);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(TargetError::Port),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_plain_addresses() {
        for (text, want) in [
            ("DB.Corp", "db.corp"),
            ("localhost", "localhost"),
            ("my_db-1", "my_db-1"),
            ("10.0.0.7", "10.0.0.7"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("[::ffff:10.0.0.7]", "10.0.0.7"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(want), "{text}");
        }
        for text in [
            "",
            "a,b",
            "2130706433",
            "0x7f.1",
            "127.1",
            "0x7f000001",
            "1.2.3.4.5",
            "01.2.3.4",
            "db.",
            "a..b",
            "-a",
            "a-",
            "[::1",
            "[fe80::1%25eth0]",
            "%2ftmp",
            "/tmp",
            "ä",
            "a b",
            "a:b",
            "*.corp",
        ] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn host_and_port_belong_together() {
        assert_eq!(host_port("db.corp:5432"), Ok(("db.corp".to_owned(), 5432)));
        assert_eq!(host_port("[::1]:1"), Ok(("::1".to_owned(), 1)));
        for text in ["db", "db:", "db:0", "db:65536", "db:+1", "db: 1", ":1"] {
            assert!(host_port(text).is_err(), "{text}");
        }
    }
}
