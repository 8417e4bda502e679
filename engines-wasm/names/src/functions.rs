//! The functions of templates.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng;
use rand::TryRngCore;
use rand::distr::Alphanumeric;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

use super::eval::{MAX_BYTES, Value};
use super::layout;

/// The longest text that a function makes of a number.
const MAX_LENGTH: usize = 1_000;
/// Hex digits of the digest at the end of a cut text.
const DIGEST_LENGTH: usize = 8;

/// Calls a function by its name. What it makes is bounded, so that calls in a row cannot multiply each other's output.
pub(super) fn call(name: &str, arguments: &[Value], now: SystemTime) -> Result<Value, String> {
    match made(name, arguments, now)? {
        Value::Text(text) if text.len() > MAX_BYTES => {
            Err(format!("the username_template makes too long a text with {name}"))
        }
        value => Ok(value),
    }
}

fn made(name: &str, arguments: &[Value], now: SystemTime) -> Result<Value, String> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = match (name, arguments) {
        ("eq", [first, rest @ ..]) if !rest.is_empty() => return Ok(Value::Truth(rest.contains(first))),
        ("ne", [first, second]) => return Ok(Value::Truth(first != second)),
        ("not", [value]) => return Ok(Value::Truth(!value.is_true())),
        ("random", [length]) => random(self::length(name, length)?),
        ("truncate", [length, text]) => truncate(&string(text), self::length(name, length)?),
        ("truncate_sha256", [length, text]) => truncate_sha256(&string(text), self::length(name, length)?)?,
        ("uppercase", [text]) => string(text).to_uppercase(),
        ("lowercase", [text]) => string(text).to_lowercase(),
        ("replace", [old, new, text]) => replace(&string(text), &string(old), &string(new))?,
        ("sha256", [text]) => sha256(&string(text)),
        ("base64", [text]) => STANDARD.encode(string(text)),
        ("unix_time", []) => since.as_secs().to_string(),
        ("unix_time_millis", []) => since.as_millis().to_string(),
        ("timestamp", [layout]) => layout::format(&string(layout), since)?,
        ("uuid", []) => uuid::Uuid::new_v4().to_string(),
        ("printf", [format, rest @ ..]) => printf(&string(format), rest)?,
        ("print", rest) => rest.iter().map(ToString::to_string).collect(),
        _ if KNOWN.contains(&name) => return Err(format!("the username_template gives {name} wrong arguments")),
        _ => return Err(format!("the username_template has an unknown function {name:?}")),
    };
    Ok(Value::Text(text))
}

const KNOWN: &[&str] = &[
    "eq",
    "ne",
    "not",
    "random",
    "truncate",
    "truncate_sha256",
    "uppercase",
    "lowercase",
    "replace",
    "sha256",
    "base64",
    "unix_time",
    "unix_time_millis",
    "timestamp",
    "uuid",
    "printf",
];

fn string(value: &Value) -> String {
    value.to_string()
}

fn length(name: &str, value: &Value) -> Result<usize, String> {
    match value {
        Value::Number(number) => usize::try_from(*number).ok().filter(|length| (1..=MAX_LENGTH).contains(length)),
        Value::Text(_) | Value::Truth(_) => None,
    }
    .ok_or_else(|| format!("the username_template gives {name} a length that is not from 1 to {MAX_LENGTH}"))
}

/// Letters and digits.
fn random(length: usize) -> String {
    OsRng.unwrap_err().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

fn replace(text: &str, old: &str, new: &str) -> Result<String, String> {
    if text.matches(old).count().saturating_mul(new.len()) > MAX_BYTES {
        return Err("the username_template makes too long a text with replace".to_owned());
    }
    Ok(text.replace(old, new))
}

fn truncate(text: &str, length: usize) -> String {
    text.chars().take(length).collect()
}

/// Cuts a text, and puts a digest of what was cut off at its end.
fn truncate_sha256(text: &str, length: usize) -> Result<String, String> {
    if length <= DIGEST_LENGTH {
        return Err(format!("the username_template gives truncate_sha256 a length that is not above {DIGEST_LENGTH}"));
    }
    if text.chars().count() <= length {
        return Ok(text.to_owned());
    }
    let kept = truncate(text, length - DIGEST_LENGTH);
    let digest = sha256(&text[kept.len()..]);
    Ok(kept + &digest[..DIGEST_LENGTH])
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// `%s`, `%d`, `%v` and `%%`.
fn printf(format: &str, arguments: &[Value]) -> Result<String, String> {
    const WRONG: &str = "the username_template gives printf arguments that its format does not take";
    let mut made = String::new();
    let mut arguments = arguments.iter();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '%' { chars.next() } else { None }) {
            ('%', Some('%')) => made.push('%'),
            ('%', Some('s' | 'v' | 'd')) => made.push_str(&arguments.next().ok_or(WRONG)?.to_string()),
            ('%', _) => return Err("the username_template has a printf format other than %s, %d and %v".to_owned()),
            _ => made.push(c),
        }
    }
    if arguments.next().is_some() { Err(WRONG.to_owned()) } else { Ok(made) }
}
