//! Fuzz targets: what operators configure and what guests say.

mod answers;
mod describe;
mod imports;
mod lines;

use std::str::FromStr as _;

use cofferdam_model::SecretText;
use cofferdam_model::engine::Protocol;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;

use crate::convert::{self, Shape};
use crate::policy::Policy;
use crate::redact::Redactor;
use crate::target::Grammar;

/// The host grants the place that the driver would go to, and hides the password.
fn connection_strings(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(address) = Grammar::PostgresUrl.parse(&text) else { return };
    let filled = text.replace("{{username}}", "u").replace("{{password}}", "p");
    // The driver may refuse what the host takes: then nobody connects.
    if let Ok(driver) = PgConnectOptions::from_str(&filled) {
        let host = driver.get_host().trim_matches(['[', ']']).to_owned();
        assert_eq!((canonical(&host), driver.get_port()), (address.host, address.port), "{text:?}");
        assert!(driver.get_socket().is_none(), "{text:?}");
    }
    // What stands in place of a password may be longer than it.
    if address.location.len() > 4_096 {
        return;
    }
    let again = Grammar::PostgresUrl.parse(&address.location);
    assert_eq!(again.map(|a| a.location).as_ref(), Ok(&address.location), "{text:?}");
}

/// The host speaks to the place that a URL parser reads.
fn endpoints(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(address) = Grammar::HttpsUrl.parse(&text) else { return };
    let Ok(read) = url::Url::parse(&text) else { return };
    let host = read.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    assert_eq!((canonical(&host), read.port_or_known_default()), (address.host, Some(address.port)), "{text:?}");
    assert_eq!(read.scheme() == "https", address.protocol == Protocol::Https, "{text:?}");
    assert!(read.username().is_empty() && read.password().is_none() && read.query().is_none(), "{text:?}");
}

fn canonical(host: &str) -> String {
    host.parse::<std::net::IpAddr>().map_or_else(|_| host.to_ascii_lowercase(), |a| a.to_canonical().to_string())
}

/// JSON of a guest is JSON to others too, and within the limits.
fn json(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for shape in [Shape::Any, Shape::Object] {
        if convert::check_json(&text, 1_000, shape).is_ok() {
            assert!(text.len() <= 1_000);
            let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"));
            assert!(shape == Shape::Any || value.is_object(), "{text:?}");
        }
    }
}

/// The first line is a secret, the rest a message: nothing of the secret stays, and one line comes out.
fn messages(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let (secret, message) = input.split_once('\n').unwrap_or((&input, ""));
    let redactor = Redactor::new([&SecretText::new(secret)], []);
    let message = format!("{message}{secret}{message}");
    let line = redactor.line(&message, 500);
    assert!(line.len() <= 500);
    assert!(!line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}')), "{line:?}");
    // A secret that is made of what stands in its place cannot be told from it.
    if secret.trim().len() >= 4 && !"[redacted]".contains(secret.trim()) {
        assert!(!line.contains(secret), "{secret:?} is in {line:?}");
    }
}

/// Policies are read, or refused in words.
fn policies(input: &[u8]) {
    drop(Policy::parse("fuzz", &String::from_utf8_lossy(input)));
}

#[test]
fn connection_strings_hold() {
    cofferdam_fuzz::run("postgres-url", connection_strings);
}

#[test]
fn endpoints_hold() {
    cofferdam_fuzz::run("https-url", endpoints);
}

#[test]
fn json_holds() {
    cofferdam_fuzz::run("json", json);
}

#[test]
fn messages_hold() {
    cofferdam_fuzz::run("message", messages);
}

#[test]
fn policies_hold() {
    cofferdam_fuzz::run("policy", policies);
}
