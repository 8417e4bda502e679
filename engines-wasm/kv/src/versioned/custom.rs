//! The names and texts that people attach to a key.

use std::collections::BTreeMap;

use engine_sdk::failure;
use engine_sdk::types::Failure;
use serde_json::Value;

const MAX_KEYS: usize = 64;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 512;

type Custom = BTreeMap<String, String>;

/// A whole set: an object, or a list of `name=text`.
pub(super) fn read(sent: &Value) -> Result<Custom, Failure> {
    let mut custom = Custom::new();
    for (name, value) in pairs(sent)? {
        custom.insert(name, text(&value)?);
    }
    check(&custom)?;
    Ok(custom)
}

/// Changes of a set: null removes.
pub(super) fn merge(custom: &mut Custom, sent: &Value) -> Result<(), Failure> {
    for (name, value) in pairs(sent)? {
        if value.is_null() {
            custom.remove(&name);
        } else {
            custom.insert(name, text(&value)?);
        }
    }
    check(custom)
}

fn pairs(sent: &Value) -> Result<Vec<(String, Value)>, Failure> {
    match sent {
        Value::Null => Ok(Vec::new()),
        Value::Object(members) => Ok(members.clone().into_iter().collect()),
        Value::String(text) => text.split(',').filter(|pair| !pair.trim().is_empty()).map(pair).collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().ok_or_else(|| invalid("a list must hold texts of the form name=text")))
            .map(|item| item.and_then(pair))
            .collect(),
        Value::Bool(_) | Value::Number(_) => Err(invalid("expected an object")),
    }
}

fn pair(text: &str) -> Result<(String, Value), Failure> {
    let (name, value) = text.split_once('=').ok_or_else(|| invalid("a text must have the form name=text"))?;
    Ok((name.trim().to_owned(), Value::from(value.trim())))
}

fn text(value: &Value) -> Result<String, Failure> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(if *flag { "1" } else { "0" }.to_owned()),
        Value::Array(_) | Value::Object(_) => Err(invalid("values must be texts")),
    }
}

fn check(custom: &Custom) -> Result<(), Failure> {
    if custom.len() > MAX_KEYS {
        return Err(invalid(format!("payload must contain at most {MAX_KEYS} keys, provided {}", custom.len())));
    }
    for (name, value) in custom {
        if name.is_empty() || name.len() > MAX_KEY {
            return Err(invalid(format!("length of key {name:?} must be from 1 to {MAX_KEY} bytes")));
        }
        if value.is_empty() || value.len() > MAX_VALUE {
            return Err(invalid(format!("length of value for key {name:?} must be from 1 to {MAX_VALUE} bytes")));
        }
        if name.chars().chain(value.chars()).any(char::is_control) {
            return Err(invalid(format!("key {name:?} or its value contains unprintable characters")));
        }
    }
    Ok(())
}

fn invalid(why: impl std::fmt::Display) -> Failure {
    failure::invalid(format!("custom_metadata validation failed: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_objects_and_pairs() -> Result<(), Failure> {
        for sent in [json!({"a": "1", "b": "x"}), json!({"a": 1, "b": "x"}), json!(["a=1", "b=x"]), json!("a=1, b=x")] {
            let custom: Vec<_> = read(&sent)?.into_iter().collect();
            assert_eq!(custom, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x".to_owned())], "{sent}");
        }
        assert!(read(&json!({}))?.is_empty());
        Ok(())
    }

    #[test]
    fn holds_the_limits() {
        let many = |count: usize| Value::Object((0..count).map(|i| (format!("k{i}"), json!("v"))).collect());
        assert!(read(&many(MAX_KEYS)).is_ok());
        assert!(read(&many(MAX_KEYS + 1)).is_err());
        assert!(read(&json!({"k".repeat(MAX_KEY): "v".repeat(MAX_VALUE)})).is_ok());
        for bad in [
            json!({"k".repeat(MAX_KEY + 1): "v"}),
            json!({"k": "v".repeat(MAX_VALUE + 1)}),
            json!({"": "v"}),
            json!({"k": ""}),
            json!({"k": null}),
            json!({"k": {"deep": 1}}),
            json!({"k": "a\nb"}),
            json!(["k"]),
            json!(1),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn merges_and_checks_the_whole() -> Result<(), Failure> {
        let mut custom = read(&json!({"a": "1", "b": "2"}))?;
        merge(&mut custom, &json!({"a": null, "c": "3", "none": null}))?;
        assert_eq!(custom.keys().collect::<Vec<_>>(), ["b", "c"]);
        let more = Value::Object((0..MAX_KEYS - 1).map(|i| (format!("k{i}"), json!("v"))).collect());
        assert!(merge(&mut custom, &more).is_err());
        Ok(())
    }
}
