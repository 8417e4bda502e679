//! The grammar `https-url`: an endpoint that the host speaks HTTP to. Stricter than URL parsers, which agree on less than
//! one thinks.

use cofferdam_model::engine::Protocol;

use super::{Address, TargetError, host_and_port, plain};

const MAX_BYTES: usize = 1024;

pub(super) fn parse(text: &str) -> Result<Address, TargetError> {
    plain(text, MAX_BYTES)?;
    let (protocol, usual, rest) = match text.split_once("://") {
        Some(("https", rest)) => (Protocol::Https, 443, rest),
        Some(("http", rest)) => (Protocol::Http, 80, rest),
        _ => return Err(TargetError::HttpScheme),
    };
    if rest.contains(['?', '#']) {
        return Err(TargetError::Query);
    }
    if rest.contains(['{', '}']) {
        return Err(TargetError::Placeholder);
    }
    let authority = rest.split('/').next().unwrap_or(rest);
    if authority.contains('@') {
        return Err(TargetError::UserInfo);
    }
    let (host, port) = host_and_port(authority)?;
    let port = port.unwrap_or(usual);
    let path = rest.get(authority.len()..).unwrap_or_default();
    // In the form in which the request goes out: what is signed over the host's name stays true.
    let location = format!("{}{}{path}", scheme(protocol), self::authority(&host, port, protocol));
    Ok(Address { host, port, protocol, location })
}

fn scheme(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "http://",
        Protocol::Https | Protocol::Tcp => "https://",
    }
}

/// Host and port as a request names them: an IPv6 address in brackets, the protocol's own port left out.
pub(crate) fn authority(host: &str, port: u16, protocol: Protocol) -> String {
    let usual = if protocol == Protocol::Http { 80 } else { 443 };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if port == usual { host } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<(String, u16, Protocol), TargetError> {
        parse(text).map(|a| (a.host, a.port, a.protocol))
    }

    #[test]
    fn usual_endpoints() {
        let iam = |port, protocol| Ok(("iam.amazonaws.com".to_owned(), port, protocol));
        assert_eq!(at("https://iam.amazonaws.com"), iam(443, Protocol::Https));
        assert_eq!(at("https://IAM.amazonaws.com:8443/path/"), iam(8443, Protocol::Https));
        assert_eq!(at("http://iam.amazonaws.com"), iam(80, Protocol::Http));
        assert_eq!(at("http://127.0.0.1:5000"), Ok(("127.0.0.1".to_owned(), 5000, Protocol::Http)));
        assert_eq!(at("http://[::1]:5000/"), Ok(("::1".to_owned(), 5000, Protocol::Http)));
        assert_eq!(at("https://[::ffff:10.0.0.7]"), Ok(("10.0.0.7".to_owned(), 443, Protocol::Https)));
    }

    #[test]
    fn an_endpoint_has_one_form() {
        for (text, want) in [
            ("https://IAM.amazonaws.com", "https://iam.amazonaws.com"),
            ("https://IAM.amazonaws.com:443/Path/", "https://iam.amazonaws.com/Path/"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("http://iam.corp:443", "http://iam.corp:443"),
            ("https://[::FFFF:10.0.0.7]:8443/", "https://10.0.0.7:8443/"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
        ] {
            assert_eq!(parse(text).map(|a| a.location).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_surprises_is_refused() {
        use TargetError as E;
        for (text, want) in [
            ("iam.amazonaws.com", E::HttpScheme),
            ("HTTPS://iam.amazonaws.com", E::HttpScheme),
            ("ftp://iam.amazonaws.com", E::HttpScheme),
            ("https:iam.amazonaws.com", E::HttpScheme),
            ("https:///path", E::NoHost),
            ("https://", E::NoHost),
            ("https://:443", E::NoHost),
            ("https://user@iam.amazonaws.com", E::UserInfo),
            ("https://iam.amazonaws.com@evil.example", E::UserInfo),
            ("https://iam.amazonaws.com\\@evil.example", E::Backslash),
            ("https://iam.amazonaws.com?x=y", E::Query),
            ("https://iam.amazonaws.com/#x", E::Query),
            ("https://iam.{region}.amazonaws.com", E::Placeholder),
            ("https://iam.amazonaws.com.", E::Host),
            ("https://*.amazonaws.com", E::Host),
            ("https://2130706433", E::Host),
            ("https://0x7f.1", E::Host),
            ("https://127.1", E::Host),
            ("https://iam%2eamazonaws.com", E::EncodedHost),
            ("https://a,b", E::SeveralHosts),
            ("https://iam.amazonaws.com:0", E::Port),
            ("https://iam.amazonaws.com:", E::Port),
            ("https://iam.amazonaws.com:+1", E::Port),
            ("https://iam.amazonaws.com:443:1", E::Port),
            ("https://[::1]x", E::Host),
            ("https://i am", E::Character),
            ("https://ä.example", E::Character),
        ] {
            assert_eq!(at(text), Err(want), "{text}");
        }
        assert_eq!(at(&format!("https://a/{}", "x".repeat(2000))), Err(E::TooLong));
    }
}
