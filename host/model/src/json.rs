//! JSON from outside, read into values that say what was written and nothing else.
//!
//! The JSON library hands its own types around as objects with one reserved name. Written by somebody else, such an
//! object is read as what its text holds: a document within a string, which no limit of depth or number applies to, and
//! which a second reader may take for other fields than the first one saw. So these names are refused, at every depth.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Map, Number, Value};

/// What the names begin with that belong to the JSON library.
const RESERVED: &str = "$serde_json::private::";
/// How it hands over a number.
const NUMBER: &str = "$serde_json::private::Number";
/// What is said of such a name.
const REFUSED: &str = "a name is reserved";

/// One value. Of members of one name the last counts.
///
/// # Errors
/// It is no JSON, nested too deep, or uses a reserved name.
pub fn value(text: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(text).map(|Plain(value)| value)
}

/// Whether a member may not have this name.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED)
}

/// Whether it was for a reserved name that a text was refused.
pub fn is_for_its_names(error: &Error) -> bool {
    error.is_data() && error.to_string().starts_with(REFUSED)
}

/// A value whose names are its writer's.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(PlainVisitor).map(Plain)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if name == NUMBER && object.is_empty() {
                let Digits(number) = members.next_value().map_err(|_| A::Error::custom(REFUSED))?;
                return Ok(Value::Number(number));
            }
            if is_reserved(&name) {
                return Err(A::Error::custom(REFUSED));
            }
            let Plain(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// A number as the library hands it over: as a text that it owns. What a document says comes as anything else.
struct Digits(Number);

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(DigitsVisitor)
    }
}

struct DigitsVisitor;

impl<'de> Visitor<'de> for DigitsVisitor {
    type Value = Digits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    /// Somebody wrote it.
    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Digits, E> {
        Err(E::custom(REFUSED))
    }

    fn visit_string<E: serde::de::Error>(self, digits: String) -> Result<Digits, E> {
        digits.parse().map(Digits).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "$serde_json::private::RawValue";

    fn written(text: &str) -> String {
        value(text.as_bytes()).unwrap().to_string()
    }

    #[test]
    fn says_what_was_written() {
        for text in [
            "null",
            "true",
            "12345678901234567890123",
            "-0.0",
            "1.50",
            "1e+400",
            r#""a \" b""#,
            r#"[1,[],{"a":{"b":[-2]}},""]"#,
            r#"{"":0,"$serde_json":1}"#,
        ] {
            assert_eq!(written(text), text);
            assert_eq!(value(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        assert_eq!(written(r#"{"a":1,"b":{"c":1,"c":2},"a":{"x":1}}"#), r#"{"a":{"x":1},"b":{"c":2}}"#);
        for bad in ["", "{", "[1,]", "{} {}", "{'a':1}", "01", "nul"] {
            assert!(value(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn reserved_names_are_refused_wherever_they_are() {
        for text in [
            format!(r#"{{"{RAW}":"{{\"a\":1}}"}}"#),
            format!(r#"{{"{NUMBER}":"1"}}"#),
            format!(r#"{{"{NUMBER}":"1\u0031"}}"#),
            format!(r#"{{"{NUMBER}":1}}"#),
            format!(r#"{{"{NUMBER}":{{"{NUMBER}":"1"}}}}"#),
            format!(r#"{{"{NUMBER}":[1]}}"#),
            format!(r#"{{"{NUMBER}":null}}"#),
            format!(r#"{{"{NUMBER}":true}}"#),
            format!(r#"{{"a":1,"{NUMBER}":1}}"#),
            // Sorted, it would come first, and be read as something else by whoever reads next.
            format!(r#"[{{"a":1,"{RAW}":"2"}}]"#),
            r#"{"\u0024serde_json::private::RawValue":"1"}"#.to_owned(),
            r#"{"$serde_json::private::Later":"1"}"#.to_owned(),
        ] {
            let error = value(text.as_bytes()).unwrap_err();
            assert!(is_for_its_names(&error), "{text}: {error}");
        }
        assert!(!is_for_its_names(&value(b"[").unwrap_err()));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(value(nested(100).as_bytes()).is_ok());
        assert!(value(nested(200).as_bytes()).is_err());
    }

    /// A document within a string within a document, and so on: what the library alone would descend into for as long
    /// as there is a stack.
    #[test]
    fn no_text_is_read_within_a_text() {
        let mut text = "0".to_owned();
        for _ in 0..200 {
            let inner = text.replace('\\', "\\u005c").replace('"', "\\u0022");
            text = format!(r#"{}{{"{RAW}":"{inner}"}}{}"#, "[".repeat(120), "]".repeat(120));
        }
        assert!(is_for_its_names(&value(text.as_bytes()).unwrap_err()));
    }
}
