//! Reads the fields of a request as a route describes them: one coercion for engines and built-in mounts.

use serde_json::{Map, Value, json};

use crate::duration;
use crate::route::{Field, FieldKind, Route};
use crate::{Error, Result};

/// What came of the fields.
#[derive(Debug, Default)]
pub struct Checked {
    /// Normalised; what was not sent is not there.
    pub fields: Map<String, Value>,
    /// Unknown names, sorted: ignored, and worth a warning where there is an answer to carry it.
    pub unknown: Vec<String>,
    /// Body names that a captured path parameter replaced.
    pub replaced: Vec<String>,
}

/// Checks and normalises `data`. Path parameters win over fields of the same name, but not on a route with open fields:
/// there the names are the client's own, and a secret may have a key `path`.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`], naming the field.
pub fn check(route: &Route, params: &[(String, String)], data: &Map<String, Value>) -> Result<Checked> {
    let mut out = Checked::default();
    for (name, value) in data {
        if !route.open_fields && params.iter().any(|(p, _)| p == name) {
            out.replaced.push(name.clone());
            continue;
        }
        match route.fields.iter().find(|f| f.name == *name) {
            Some(field) => {
                let value = read(field.kind, value).map_err(|why| {
                    Error::invalid(format!("Field validation failed: error converting input for field {name:?}: {why}"))
                })?;
                out.fields.insert(name.clone(), value);
            }
            None if route.open_fields => {
                out.fields.insert(name.clone(), value.clone());
            }
            None => out.unknown.push(name.clone()),
        }
    }
    out.unknown.sort();
    Ok(out)
}

/// The required fields that are absent or empty. For writes.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`], naming the field.
pub fn require(route: &Route, fields: &Map<String, Value>) -> Result<()> {
    match route.fields.iter().find(|f| f.required && is_empty(fields.get(&f.name))) {
        Some(Field { name, .. }) => Err(Error::invalid(format!("missing required field {name:?}"))),
        None => Ok(()),
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(s)) => s.is_empty(),
        Some(Value::Array(a)) => a.is_empty(),
        Some(_) => false,
    }
}

/// One value, read as the kind says.
///
/// # Errors
/// Why not, for the client.
pub fn read(kind: FieldKind, value: &Value) -> Result<Value, String> {
    Ok(match kind {
        FieldKind::Any => value.clone(),
        FieldKind::Text => text(value)?.into(),
        FieldKind::LowerText => text(value)?.to_lowercase().into(),
        FieldKind::Integer => integer(value)?.into(),
        FieldKind::Boolean => boolean(value)?.into(),
        FieldKind::Object => match value {
            Value::Object(_) | Value::Null => value.clone(),
            Value::String(s) => match crate::json::value(s.as_bytes()) {
                Ok(Value::Object(map)) => Value::Object(map),
                _ => return Err("expected an object".to_owned()),
            },
            _ => return Err("expected an object".to_owned()),
        },
        FieldKind::Pairs => pairs(value)?,
        FieldKind::Seconds => match duration::parse(value)? {
            s if s < 0 => return Err("must not be negative".to_owned()),
            s => s.into(),
        },
        FieldKind::SignedSeconds => duration::parse(value)?.into(),
        FieldKind::TextList => match value {
            Value::String(s) if s.is_empty() => json!([]),
            Value::Array(items) => items.iter().map(text).collect::<Result<Vec<_>, _>>()?.into(),
            Value::Null => json!([]),
            other => json!([text(other)?]),
        },
        FieldKind::CommaList => comma_list(value)?.into(),
        FieldKind::CommaIntegers => comma_list(value)?
            .iter()
            .map(|t| t.parse::<i64>().map_err(|_| format!("{t:?} is no integer")))
            .collect::<Result<Vec<_>, _>>()?
            .into(),
    })
}

fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(s) => Ok(s.clone()),
        Value::Number(n) => Ok(n.to_string()),
        Value::Bool(b) => Ok(b.to_string()),
        Value::Array(_) => Err("expected a text, got a list".to_owned()),
        Value::Object(_) => Err("expected a text, got an object".to_owned()),
    }
}

fn integer(value: &Value) -> Result<i64, String> {
    match value {
        Value::Null => Ok(0),
        Value::String(s) if s.is_empty() => Ok(0),
        Value::String(s) => s.trim().parse().map_err(|_| format!("{s:?} is no integer")),
        Value::Number(n) => n.as_i64().ok_or_else(|| format!("{n} is no integer")),
        other => Err(format!("{other} is no integer")),
    }
}

fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(b) => Ok(*b),
        Value::Number(n) => Ok(n.as_f64() != Some(0.0)),
        Value::String(s) => match s.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            _ => Err(format!("{s:?} is neither true nor false")),
        },
        other => Err(format!("{other} is neither true nor false")),
    }
}

fn comma_list(value: &Value) -> Result<Vec<String>, String> {
    let raw: Vec<String> = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(text).collect::<Result<_, _>>()?,
        other => text(other)?.split(',').map(str::to_owned).collect(),
    };
    Ok(raw.iter().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect())
}

fn pairs(value: &Value) -> Result<Value, String> {
    let mut out = Map::new();
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (k, v) in map {
                out.insert(k.clone(), text(v).map_err(|why| format!("{k}: {why}"))?.into());
            }
        }
        Value::Array(_) | Value::String(_) => {
            let items = match value {
                Value::String(s) if s.is_empty() => Vec::new(),
                Value::String(s) => match crate::json::value(s.as_bytes()) {
                    Ok(Value::Object(map)) => return pairs(&Value::Object(map)),
                    _ => s.split(',').map(str::to_owned).collect(),
                },
                Value::Array(items) => items.iter().map(text).collect::<Result<_, _>>()?,
                _ => Vec::new(),
            };
            for item in items {
                let (k, v) = item.split_once('=').ok_or_else(|| format!("{item:?} is not of the form name=text"))?;
                out.insert(k.trim().to_owned(), v.trim().into());
            }
        }
        other => return Err(format!("{other} is no set of names and texts")),
    }
    Ok(Value::Object(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_replaces_a_field_unless_fields_are_open() -> Result<()> {
        let data = Map::from_iter([("path".to_owned(), json!("mine"))]);
        let params = [("path".to_owned(), "a/b".to_owned())];
        for open_fields in [false, true] {
            let pattern = crate::route::Pattern::parse("{path*}").map_err(Error::internal)?;
            let route = Route {
                pattern,
                operations: Vec::new(),
                open_fields,
                upsert: false,
                backend: None,
                fields: Vec::new(),
                synopsis: String::new(),
                help: String::new(),
            };
            let checked = check(&route, &params, &data)?;
            assert_eq!(checked.fields.contains_key("path"), open_fields);
            assert_eq!(checked.replaced.is_empty(), open_fields);
        }
        Ok(())
    }

    #[test]
    fn coerces_as_the_contract_says() {
        for (kind, sent, want) in [
            (FieldKind::Text, json!(90), json!("90")),
            (FieldKind::Integer, json!("3"), json!(3)),
            (FieldKind::Boolean, json!("false"), json!(false)),
            (FieldKind::Seconds, json!("1h"), json!(3600)),
            (FieldKind::TextList, json!("a,b"), json!(["a,b"])),
            (FieldKind::CommaList, json!("a, b,"), json!(["a", "b"])),
            (FieldKind::CommaIntegers, json!("1,2"), json!([1, 2])),
            (FieldKind::CommaIntegers, json!([1, "2"]), json!([1, 2])),
            (FieldKind::Pairs, json!("x=y"), json!({"x": "y"})),
            (FieldKind::Pairs, json!({"x": 1}), json!({"x": "1"})),
        ] {
            assert_eq!(read(kind, &sent), Ok(want), "{sent}");
        }
        for (kind, sent) in [
            (FieldKind::Text, json!({"a": 1})),
            (FieldKind::Integer, json!("one")),
            (FieldKind::Boolean, json!("maybe")),
            (FieldKind::Seconds, json!(-5)),
            (FieldKind::Seconds, json!(1.5)),
            (FieldKind::TextList, json!({"a": 1})),
            (FieldKind::Pairs, json!("x")),
            (FieldKind::Object, json!("text")),
        ] {
            assert!(read(kind, &sent).is_err(), "{sent}");
        }
    }
}
