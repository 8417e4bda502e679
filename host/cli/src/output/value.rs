//! Values as a person reads them: Go's `%v`, and durations where a key says that it holds one.

use cofferdam_model::duration;
use serde_json::Value;

/// Go's `%v`: texts bare, `<nil>`, `[a b]`, `map[k:v]`.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(on) => on.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(plain).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let mut pairs: Vec<(&String, &Value)> = map.iter().collect();
            pairs.sort_by_key(|(k, _)| *k);
            let pairs: Vec<String> = pairs.into_iter().map(|(k, v)| format!("{k}:{}", plain(v))).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

/// The value of a row with this key.
pub(crate) fn cell(key: &str, value: &Value) -> String {
    match value.as_i64() {
        Some(seconds) if holds_duration(key) => duration::short_text(seconds),
        _ => plain(value),
    }
}

fn holds_duration(key: &str) -> bool {
    let is = |word: &str| key == word || key.strip_suffix(word).is_some_and(|rest| rest.ends_with('_'));
    is("period") || is("ttl") || is("duration") || key == "lease_max" || key == "ttl_max"
}

/// Go's `%q` of a list of texts.
pub(crate) fn quoted_list(list: &[String]) -> String {
    format!("[{}]", list.iter().map(|t| format!("{t:?}")).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prints_like_go() {
        let value: Value = serde_json::from_str(r#"{"b":[1,"x",null],"a":{"n":1.0},"t":true}"#).unwrap();
        assert_eq!(plain(&value), "map[a:map[n:1.0] b:[1 x <nil>] t:true]");
        assert_eq!(quoted_list(&["a".to_owned(), "b".to_owned()]), r#"["a" "b"]"#);
        assert_eq!(quoted_list(&[]), "[]");
    }

    #[test]
    fn durations_where_the_key_says_so() {
        for (key, want) in [
            ("ttl", "1h"),
            ("default_lease_ttl", "1h"),
            ("token_period", "1h"),
            ("lease_duration", "1h"),
            ("lease_max", "1h"),
            ("ttl_max", "1h"),
            ("throttle", "3600"),
            ("subttl", "3600"),
            ("max", "3600"),
        ] {
            assert_eq!(cell(key, &json!(3600)), want, "{key}");
        }
        assert_eq!(cell("ttl", &json!("1h0m0s")), "1h0m0s");
        assert_eq!(cell("ttl", &json!(0)), "0s");
        assert_eq!(cell("ttl", &json!(330)), "5m30s");
    }
}
