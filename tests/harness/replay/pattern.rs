//! Patterns of recorded answers.
//!
//! A JSON value matches itself. An object matches exactly these keys, or more with the key `...` present; a key that ends
//! in `?` may be absent; a key whose pattern is `<absent>` must be. Strings in angle brackets match a kind (`<uuid>`,
//! `<time>`, …), `<re:…>` a whole string by an expression, `<near:N>` a number from N-10 to N. `{"<contains>": [p, …]}`:
//! a list with an element for each; `{"<each>": p}`: every element; `{"<oneof>": [p, …]}`: any of them.

use fancy_regex::Regex;
use serde_json::{Map, Number, Value};

/// Whether a value matches a pattern.
pub fn fits(want: &Value, got: &Value) -> bool {
    check(want, got, "value").is_ok()
}

/// Names the first place where `got` is not what the pattern asks.
pub(crate) fn check(want: &Value, got: &Value, at: &str) -> Result<(), String> {
    match want {
        Value::Object(pattern) => check_object(pattern, got, at),
        Value::Array(patterns) => match got {
            Value::Array(list) if list.len() == patterns.len() => {
                patterns.iter().zip(list).enumerate().try_for_each(|(i, (p, g))| check(p, g, &format!("{at}.{i}")))
            }
            _ => Err(format!("{at}: wanted {}, got {}", short(want), short(got))),
        },
        Value::String(text) => check_text(text, got, at),
        Value::Number(number) if got.as_number().is_some_and(|g| same_number(number, g)) => Ok(()),
        _ if want == got => Ok(()),
        _ => Err(format!("{at}: wanted {}, got {}", short(want), short(got))),
    }
}

fn check_object(pattern: &Map<String, Value>, got: &Value, at: &str) -> Result<(), String> {
    if pattern.contains_key("<contains>") || pattern.contains_key("<each>") {
        return check_list(pattern, got, at);
    }
    if let Some(choices) = pattern.get("<oneof>") {
        let any = choices.as_array().is_some_and(|c| c.iter().any(|p| fits(p, got)));
        return if any { Ok(()) } else { Err(format!("{at}: {} is none of {}", short(got), short(choices))) };
    }
    let Value::Object(object) = got else {
        return Err(format!("{at}: wanted an object, got {}", short(got)));
    };
    let open = pattern.contains_key("...");
    for (key, p) in pattern {
        let name = key.strip_suffix('?').unwrap_or(key);
        let there = object.get(name);
        if p == "<absent>" {
            if there.is_some() {
                return Err(format!("{at}.{name}: should not be there"));
            }
            continue;
        }
        if key == "..." || (key.ends_with('?') && there.is_none()) {
            continue;
        }
        let value = there.ok_or_else(|| format!("{at}.{key}: missing"))?;
        check(p, value, &format!("{at}.{name}"))?;
    }
    let unnamed = |k: &&String| !pattern.contains_key(*k) && !pattern.contains_key(&format!("{k}?"));
    let extra: Vec<&str> = object.keys().filter(unnamed).map(String::as_str).collect();
    if extra.is_empty() || open { Ok(()) } else { Err(format!("{at}: unexpected {}", extra.join(", "))) }
}

fn check_list(pattern: &Map<String, Value>, got: &Value, at: &str) -> Result<(), String> {
    let Value::Array(list) = got else {
        return Err(format!("{at}: wanted a list, got {}", short(got)));
    };
    for p in pattern.get("<contains>").and_then(Value::as_array).into_iter().flatten() {
        if !list.iter().any(|g| fits(p, g)) {
            return Err(format!("{at}: no element like {} in {}", short(p), short(got)));
        }
    }
    match pattern.get("<each>") {
        Some(p) => list.iter().enumerate().try_for_each(|(i, g)| check(p, g, &format!("{at}.{i}"))),
        None => Ok(()),
    }
}

fn check_text(want: &str, got: &Value, at: &str) -> Result<(), String> {
    if let Some(matched) = kind(want, got) {
        return if matched { Ok(()) } else { Err(format!("{at}: wanted {want}, got {}", short(got))) };
    }
    if let Some(expression) = want.strip_prefix("<re:").and_then(|w| w.strip_suffix('>')) {
        let matched = got.as_str().is_some_and(|g| whole(&format!("(?s:{expression})"), g));
        return if matched { Ok(()) } else { Err(format!("{at}: {} does not match {expression}", short(got))) };
    }
    if let Some(number) = want.strip_prefix("<near:").and_then(|w| w.strip_suffix('>')) {
        let n: i64 = number.parse().map_err(|_| format!("{at}: bad pattern {want}"))?;
        let near = got.as_i64().is_some_and(|g| (n - 10..=n).contains(&g));
        return if near { Ok(()) } else { Err(format!("{at}: wanted about {n}, got {}", short(got))) };
    }
    if got == want { Ok(()) } else { Err(format!("{at}: wanted {want:?}, got {}", short(got))) }
}

/// Whether `got` is of the kind that `want` names; none if it names no kind.
fn kind(want: &str, got: &Value) -> Option<bool> {
    let text = |expression: &str| got.as_str().is_some_and(|g| whole(expression, g));
    let empty = match got {
        Value::Null => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        _ => false,
    };
    Some(match want {
        "<any>" => true,
        "<string>" => got.is_string(),
        "<nonempty>" => !empty && *got != false && got.as_f64() != Some(0.0),
        "<int>" => is_integer(got),
        "<positive>" => is_integer(got) && got.as_f64().is_some_and(|n| n > 0.0),
        "<number>" => got.is_number(),
        "<bool>" => got.is_boolean(),
        "<uuid>" => text("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        "<time>" => text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
        "<token>" => text(r"(hv)?[sb]\.[A-Za-z0-9_-]{20,}"),
        "<accessor>" => text(r"[A-Za-z0-9_.-]{16,}"),
        "<pem>" => got.as_str().is_some_and(|g| g.trim().starts_with("-----BEGIN ")),
        "<base64>" => text("[A-Za-z0-9+/_-]+=*"),
        "<list>" => got.is_array(),
        "<object>" => got.is_object(),
        "<empty>" => empty,
        _ => return None,
    })
}

fn is_integer(got: &Value) -> bool {
    got.as_number().is_some_and(|n| !n.to_string().contains(['.', 'e', 'E']))
}

fn same_number(a: &Number, b: &Number) -> bool {
    a == b || (a.as_f64().is_some() && a.as_f64() == b.as_f64())
}

fn whole(expression: &str, text: &str) -> bool {
    let expression = Regex::new(&format!(r"\A(?:{expression})\z")).unwrap_or_else(|e| panic!("{expression}: {e}"));
    expression.is_match(text).unwrap_or(false)
}

/// A value, not too long for a message.
pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::fits;
    use serde_json::{Value, json};

    fn yes(want: Value, got: Value) {
        assert!(fits(&want, &got), "{want} should match {got}");
    }

    fn no(want: Value, got: Value) {
        assert!(!fits(&want, &got), "{want} should not match {got}");
    }

    #[test]
    fn objects_are_exact_unless_open() {
        yes(json!({"a": 1}), json!({"a": 1}));
        no(json!({"a": 1}), json!({"a": 1, "b": 2}));
        yes(json!({"a": 1, "...": true}), json!({"a": 1, "b": 2}));
        no(json!({"a": 1, "...": true}), json!({"b": 2}));
        yes(json!({"a?": 1}), json!({}));
        no(json!({"a?": 1}), json!({"a": 2}));
        no(json!({"a": "<absent>", "...": true}), json!({"a": 2}));
        yes(json!({"a": "<absent>"}), json!({}));
    }

    #[test]
    fn lists_are_exact_or_by_element() {
        yes(json!([1, "<int>"]), json!([1, 5]));
        no(json!([1]), json!([1, 2]));
        yes(json!({"<contains>": [2]}), json!([1, 2]));
        no(json!({"<contains>": [3]}), json!([1, 2]));
        no(json!({"<each>": "<int>"}), json!([1, "x"]));
        yes(json!({"<oneof>": [1, "<bool>"]}), json!(true));
        no(json!({"<oneof>": [1, "<bool>"]}), json!("x"));
    }

    #[test]
    fn kinds_are_kinds() {
        yes(json!("<uuid>"), json!("01234567-89ab-cdef-0123-456789abcdef"));
        no(json!("<uuid>"), json!("01234567-89ab-cdef-0123-456789abcdef\n"));
        yes(json!("<near:600>"), json!(590));
        no(json!("<near:600>"), json!(601));
        yes(json!("<re:a.*b>"), json!("a\nb"));
        no(json!("<re:a|b>"), json!("ac"));
        yes(json!("<re:x(?!y).*>"), json!("xz"));
        no(json!("<re:x(?!y).*>"), json!("xy"));
        yes(json!("<empty>"), json!(null));
        no(json!("<empty>"), json!(0));
        no(json!("<nonempty>"), json!(0));
        no(json!("<int>"), json!(1.5));
        yes(json!(1), json!(1.0));
        no(json!(1), json!(true));
    }
}
