//! Between the contract's types and the host's. Nothing that a guest says passes without a look at its size and shape.

mod describe;
mod found;
mod results;

use cofferdam_model::engine as model;
use cofferdam_model::request::Operation;

pub(crate) use self::describe::description;
pub(crate) use self::found::page;
pub(crate) use self::results::{ended, failure, issued, outcome, renewed, text_secret};
use crate::bindings::cofferdam::engine::types as wit;

/// Bytes of an identifier: names of objects, roles, backends, kinds.
pub(crate) const MAX_ID: usize = 512;
/// Bytes of a message for people.
pub(crate) const MAX_MESSAGE: usize = 2048;
/// Bytes of a handle.
pub(crate) const MAX_HANDLE: usize = 16 << 10;
/// Bytes of any JSON text.
pub(crate) const MAX_JSON: usize = 4 << 20;
/// Levels of any JSON text.
const MAX_DEPTH: usize = 64;

/// An answer that breaks the contract: says how.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadAnswer(pub(crate) String);

impl BadAnswer {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// What a JSON text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Any,
    Object,
}

/// Whether the text is one JSON value of this shape, within the contract's limits.
pub(crate) fn check_json(text: &str, max_bytes: usize, shape: Shape) -> Result<(), BadAnswer> {
    if text.len() > max_bytes {
        return Err(BadAnswer(format!("JSON of more than {max_bytes} bytes")));
    }
    if depth(text) > MAX_DEPTH {
        return Err(BadAnswer(format!("JSON of more than {MAX_DEPTH} levels")));
    }
    if shape == Shape::Object && !text.trim_start().starts_with('{') {
        return Err(BadAnswer::new("JSON that is no object"));
    }
    // The parser's own message may repeat what it read.
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map(|_| ())
        .map_err(|e| BadAnswer(format!("text that is no JSON (column {})", e.column())))
}

/// How deep arrays and objects are nested, without recursion.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// An identifier as the guest chose it.
pub(crate) fn check_id(what: &str, text: &str, may_be_empty: bool) -> Result<(), BadAnswer> {
    if text.is_empty() && !may_be_empty {
        return Err(BadAnswer(format!("an empty {what}")));
    }
    if text.len() > MAX_ID {
        return Err(BadAnswer(format!("a {what} of more than {MAX_ID} bytes")));
    }
    if text.chars().any(char::is_control) {
        return Err(BadAnswer(format!("a {what} with control characters")));
    }
    Ok(())
}

/// A request as the guest sees it.
pub(crate) fn request(request: model::EngineRequest) -> wit::Request {
    wit::Request {
        operation: operation(request.operation),
        path: request.path,
        route: request.route,
        params: request.params,
        fields: request.fields,
    }
}

/// HEAD is a read, and help never reaches an engine.
pub(crate) fn operation(operation: Operation) -> wit::Operation {
    match operation {
        Operation::Create => wit::Operation::Create,
        Operation::Update => wit::Operation::Update,
        Operation::Patch => wit::Operation::Patch,
        Operation::Delete => wit::Operation::Delete,
        Operation::List => wit::Operation::List,
        Operation::Read | Operation::Head | Operation::Help => wit::Operation::Read,
    }
}

/// A lease as the guest sees it.
pub(crate) fn lease(lease: model::EngineLease) -> wit::Lease {
    wit::Lease {
        id: lease.id,
        kind: lease.kind,
        role: lease.role,
        backend: lease.backend,
        object: lease.object,
        handle: wit::Handle { format: lease.handle.format, data: lease.handle.data },
        stamp: lease.stamp,
        issued_at: lease.issued_at,
        expires_at: lease.expires_at,
        not_after: lease.not_after,
        confirmed: lease.confirmed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_checked_for_size_depth_and_shape() {
        assert_eq!(check_json(r#"{"a":[1,"[[[{{"]}"#, 100, Shape::Object), Ok(()));
        assert_eq!(check_json("  {} ", 100, Shape::Object), Ok(()));
        assert_eq!(check_json("12345678901234567890123", 100, Shape::Any), Ok(()));
        for (text, shape) in [
            ("[]", Shape::Object),
            ("null", Shape::Object),
            ("", Shape::Any),
            ("{}{}", Shape::Any),
            ("{", Shape::Any),
            ("{\"a\":NaN}", Shape::Any),
            ("'a'", Shape::Any),
        ] {
            assert!(check_json(text, 100, shape).is_err(), "{text}");
        }
        assert!(check_json(&format!("\"{}\"", "x".repeat(100)), 100, Shape::Any).is_err());
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(check_json(&nested(64), 1000, Shape::Any).is_ok());
        assert!(check_json(&nested(65), 1000, Shape::Any).is_err());
        assert!(check_json(&nested(100_000), MAX_JSON, Shape::Any).is_err());
        assert_eq!(depth(r#""\"[[""#), 0);
    }

    #[test]
    fn identifiers_are_short_and_plain() {
        assert_eq!(check_id("name", "v-token-app-1", false), Ok(()));
        assert!(check_id("name", "", false).is_err());
        assert!(check_id("name", "", true).is_ok());
        assert!(check_id("name", "a\nb", false).is_err());
        assert!(check_id("name", &"x".repeat(513), false).is_err());
    }
}
