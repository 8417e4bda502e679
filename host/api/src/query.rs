//! Query strings: the data of reads, and the words that choose the operation.

use serde_json::{Map, Value};
use url::form_urlencoded;

/// A query, read once.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Query {
    /// Everything but `list` and `help`; a repeated key is a list.
    pub(crate) data: Map<String, Value>,
    /// The first `list` that is not empty.
    pub(crate) list: Option<String>,
    /// Some `help` is not empty.
    pub(crate) help: bool,
}

/// Reads the part after the question mark.
pub(crate) fn read(raw: Option<&str>) -> Query {
    let mut query = Query::default();
    let Some(raw) = raw.filter(|r| !r.is_empty()) else { return query };
    for (key, value) in form_urlencoded::parse(raw.as_bytes()) {
        match key.as_ref() {
            "help" => query.help |= !value.is_empty(),
            "list" => {
                if query.list.is_none() && !value.is_empty() {
                    query.list = Some(value.into_owned());
                }
            }
            _ => add(&mut query.data, key.into_owned(), value.into_owned()),
        }
    }
    query
}

fn add(data: &mut Map<String, Value>, key: String, value: String) {
    match data.get_mut(&key) {
        None => {
            data.insert(key, Value::String(value));
        }
        Some(Value::Array(values)) => values.push(Value::String(value)),
        Some(first) => {
            let earlier = first.take();
            *first = Value::Array(vec![earlier, Value::String(value)]);
        }
    }
}

/// A boolean as Go reads it; anything else is an error of the client.
pub(crate) fn strict_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repeated_keys_are_lists_and_reserved_ones_no_data() {
        let q = read(Some("a=1&b=x%20y&a=2&list=&list=true&help=&a=3&c"));
        assert_eq!(Value::Object(q.data), json!({"a": ["1", "2", "3"], "b": "x y", "c": ""}));
        assert_eq!(q.list.as_deref(), Some("true"));
        assert!(!q.help);
        assert!(read(Some("help=no")).help);
        assert_eq!(read(None), Query::default());
    }

    #[test]
    fn booleans_are_strict() {
        assert_eq!(strict_bool("1"), Some(true));
        assert_eq!(strict_bool("False"), Some(false));
        for bad in ["perhaps", "yes", "", "tRUE", " true"] {
            assert_eq!(strict_bool(bad), None, "{bad:?}");
        }
    }
}
