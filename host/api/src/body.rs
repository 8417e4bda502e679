//! Bodies of writes: JSON or a form, bounded before they are built in memory.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use cofferdam_model::{Error, ErrorKind, Result, json as reader};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::Limits;

/// What a body said.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Fields {
    /// The parameters.
    pub(crate) data: Map<String, Value>,
    /// There was a body at all.
    pub(crate) present: bool,
}

/// Reads a body to its end, and what it says.
pub(crate) async fn read(headers: &HeaderMap, body: &mut Body, limits: &Limits) -> Result<Fields> {
    let limit = limits.body.unwrap_or(usize::MAX);
    let declared = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    if declared.is_some_and(|n| usize::try_from(n).map_or(true, |n| n > limit)) {
        return Err(too_large(limit));
    }
    let whole = Limited::new(body, limit).collect().await.map_err(|error| {
        // The limit is the only failure of ours; the rest is a connection that broke.
        if error.is::<LengthLimitError>() { too_large(limit) } else { Error::invalid("the request body broke off") }
    })?;
    let bytes = whole.to_bytes();
    let first = bytes.iter().copied().find(|b| !b.is_ascii_whitespace());
    let Some(first) = first else { return Ok(Fields::default()) };
    if is_form(headers) && !matches!(first, b'{' | b'[') {
        return Ok(Fields { data: form(&bytes, limits.json_values)?, present: true });
    }
    Ok(Fields { data: json(&bytes, limits.json_values)?, present: true })
}

fn too_large(limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("http: request body too large (more than {limit} bytes)"))
}

fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|m| m.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// The content type without its parameters, if there is a readable one.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let whole = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media = whole.split(';').next().unwrap_or(whole).trim();
    media.contains('/').then_some(media)
}

/// A form: texts, repeated keys joined by commas.
pub(crate) fn form(bytes: &[u8], most_values: usize) -> Result<Map<String, Value>> {
    let pairs = 1 + bytes.iter().filter(|b| **b == b'&').count();
    if pairs > most_values {
        return Err(Error::invalid(format!("the request body holds more than {most_values} values")));
    }
    let mut data = Map::new();
    for (key, value) in form_urlencoded::parse(bytes) {
        match data.get_mut(key.as_ref()) {
            Some(Value::String(joined)) => {
                joined.push(',');
                joined.push_str(&value);
            }
            _ => {
                data.insert(key.into_owned(), Value::String(value.into_owned()));
            }
        }
    }
    Ok(data)
}

/// A JSON object. `null` is no parameters: what some clients send for a write without any.
pub(crate) fn json(bytes: &[u8], most_values: usize) -> Result<Map<String, Value>> {
    // A value takes a byte and a separator at least: short bodies need no counting.
    if bytes.len() / 2 >= most_values && values(bytes) > most_values {
        return Err(Error::invalid(format!("the request body holds more than {most_values} JSON values")));
    }
    match reader::value(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err("the body must be a JSON object".to_owned()),
        Err(error) => Err(place(&error)),
    }
    .map_err(|why| Error::invalid(format!("failed to parse JSON input: {why}")))
}

/// What serde found wrong, without quoting the client's values.
fn place(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        _ if reader::is_for_its_names(error) => "the name of a member is reserved",
        serde_json::error::Category::Eof => "the body ends too early",
        _ => "the body is no JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// An upper bound of the values in a JSON text: separators and openers outside of strings.
fn values(bytes: &[u8]) -> usize {
    let (mut count, mut quoted, mut escaped) = (1, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {

    use serde_json::json as value;

    use super::*;

    fn parsed(text: &str) -> Result<Value> {
        json(text.as_bytes(), 1000).map(Value::Object)
    }

    #[test]
    fn json_must_be_an_object_or_null() {
        assert_eq!(parsed(r#"{"a":1,"a":2}"#).unwrap(), value!({"a": 2}));
        assert_eq!(parsed("null").unwrap(), value!({}));
        for bad in [r#"{"v": "#, r#"["v"]"#, r#""v""#, "1", "{} {}", "{'a':1}"] {
            let error = parsed(bad).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{bad}");
            assert!(error.messages[0].starts_with("failed to parse JSON input: "), "{bad}");
        }
    }

    #[test]
    fn an_error_never_quotes_the_body() {
        for text in [r#""hunter2""#, r#"{"$serde_json::private::RawValue":"hunter2"}"#, r#"{"hunter2" 1}"#] {
            assert!(!parsed(text).unwrap_err().messages[0].contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"big":12345678901234567890123,"f":1.50}"#;
        assert_eq!(parsed(text).unwrap().to_string(), text);
    }

    #[test]
    fn depth_and_count_are_bounded() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        assert!(parsed(&deep).is_err());
        let wide = format!("{{\"a\":[{}0]}}", "0,".repeat(1000));
        assert!(parsed(&wide).unwrap_err().messages[0].contains("more than 1000"));
        let text = format!("{{\"a\":\"{}\"}}", ",[\\\"".repeat(2000));
        assert!(parsed(&text).is_ok(), "what is quoted counts once");
    }

    #[test]
    fn forms_are_texts() {
        let data = form(b"policies=a&ttl=5m&meta=x%3Dy&policies=b+c", 4).unwrap();
        assert_eq!(Value::Object(data), value!({"policies": "a,b c", "ttl": "5m", "meta": "x=y"}));
    }

    #[test]
    fn forms_are_bounded_as_json_is() {
        let wide = "a&".repeat(1000);
        assert!(form(wide.as_bytes(), 1000).unwrap_err().messages[0].contains("more than 1000"));
        assert!(form(&wide.as_bytes()[..1999], 1000).is_ok());
    }
}
