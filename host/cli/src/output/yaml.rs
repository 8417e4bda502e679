//! YAML from JSON: keys sorted, two blanks per level, lists not indented below their key.

use serde_json::Value;

/// A document without a newline at its end.
pub(crate) fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0, false),
        Value::Array(list) if !list.is_empty() => sequence(&mut out, list, 0),
        other => scalar(&mut out, other, 0),
    }
    out.trim_end().to_owned()
}

/// `inline` leaves out the indent of the first key, which stands behind the dash of a list.
fn mapping(out: &mut String, map: &serde_json::Map<String, Value>, indent: usize, inline: bool) {
    let mut pairs: Vec<(&String, &Value)> = map.iter().collect();
    pairs.sort_by_key(|(k, _)| *k);
    for (i, (key, value)) in pairs.into_iter().enumerate() {
        if i > 0 || !inline {
            out.push_str(&" ".repeat(indent));
        }
        text(out, key, indent, true);
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                mapping(out, map, indent + 2, false);
            }
            Value::Array(list) if !list.is_empty() => {
                out.push('\n');
                sequence(out, list, indent);
            }
            other => {
                out.push(' ');
                scalar(out, other, indent);
            }
        }
    }
}

fn sequence(out: &mut String, list: &[Value], indent: usize) {
    for value in list {
        out.push_str(&" ".repeat(indent));
        out.push_str("- ");
        match value {
            Value::Object(map) if !map.is_empty() => mapping(out, map, indent + 2, true),
            Value::Array(list) if !list.is_empty() => {
                let mut inner = String::new();
                sequence(&mut inner, list, indent + 2);
                out.push_str(inner.trim_start());
            }
            other => scalar(out, other, indent),
        }
    }
}

fn scalar(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(on) => out.push_str(&on.to_string()),
        Value::Number(n) => out.push_str(&n.to_string()),
        Value::String(s) => text(out, s, indent, false),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    out.push('\n');
}

fn text(out: &mut String, text: &str, indent: usize, is_key: bool) {
    if text.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        double_quoted(out, text);
    } else if text.contains('\n') {
        if is_key || text.trim_end_matches('\n').lines().any(|l| l != l.trim_end()) || text.starts_with([' ', '\n']) {
            double_quoted(out, text);
        } else {
            block(out, text, indent);
        }
    } else if reads_as_something_else(text) {
        // What another reader may take for a number, a boolean or null.
        out.push_str(&format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
    } else if needs_quotes(text) {
        out.push_str(&format!("'{}'", text.replace('\'', "''")));
    } else {
        out.push_str(text);
    }
}

/// A literal block; the sign behind the bar says how many newlines end it.
fn block(out: &mut String, text: &str, indent: usize) {
    out.push_str(if !text.ends_with('\n') {
        "|-"
    } else if text.ends_with("\n\n") {
        "|+"
    } else {
        "|"
    });
    let body = text.strip_suffix('\n').unwrap_or(text);
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&" ".repeat(indent + 2));
            out.push_str(line);
        }
    }
}

fn double_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if u32::from(c) < 0x100 && c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c @ ('\u{2028}' | '\u{2029}' | '\u{feff}') => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn reads_as_something_else(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "-.inf", "+.inf", "<<",
        "=",
    ];
    WORDS.contains(&text.to_lowercase().as_str()) || looks_like_number(text) || looks_like_date(text)
}

fn looks_like_number(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = body.replace('_', "");
    let lower = digits.to_lowercase();
    let based = |prefix: &str, base: u32| {
        lower.strip_prefix(prefix).is_some_and(|d| !d.is_empty() && d.chars().all(|c| c.is_digit(base)))
    };
    let starts =
        digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.chars().any(|c| c.is_ascii_digit());
    // Base 60, which old readers know: 12:30 or 1:20:30.5.
    let sixty = body.contains(':')
        && body.split(':').all(|p| !p.is_empty() && p.chars().all(|c| c.is_ascii_digit() || c == '.'));
    (starts && digits.parse::<f64>().is_ok()) || based("0x", 16) || based("0o", 8) || based("0b", 2) || sixty
}

fn looks_like_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let number = |p: Option<&str>, len: std::ops::RangeInclusive<usize>| {
        p.is_some_and(|p| len.contains(&p.len()) && p.chars().all(|c| c.is_ascii_digit()))
    };
    if !number(parts.next(), 4..=4) || !number(parts.next(), 1..=2) {
        return false;
    }
    parts.next().is_some_and(|day| day.starts_with(|c: char| c.is_ascii_digit()))
}

fn needs_quotes(text: &str) -> bool {
    text.starts_with([
        '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ',
    ]) && !(text.starts_with(['-', '?', ':']) && text[1..].starts_with(|c: char| !c.is_whitespace() && c != '-'))
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nests_maps_and_lists() {
        let value = json!({"b": [1, {"x": "y", "z": [true, null]}, []], "a": {"k": "v", "e": {}}, "n": null});
        assert_eq!(
            document(&value),
            "a:\n  e: {}\n  k: v\nb:\n- 1\n- x: \"y\"\n  z:\n  - true\n  - null\n- []\n\"n\": null"
        );
        assert_eq!(document(&json!(["a", "b/"])), "- a\n- b/");
        assert_eq!(document(&json!({})), "{}");
        assert_eq!(document(&json!([["a", "b"], ["c"]])), "- - a\n  - b\n- - c");
    }

    #[test]
    fn quotes_only_what_would_be_read_otherwise() {
        for (text, want) in [
            ("plain text", "plain text"),
            ("hvs.CAESI-x_y", "hvs.CAESI-x_y"),
            ("1", "\"1\""),
            ("1e3", "\"1e3\""),
            ("0x1F", "\"0x1F\""),
            ("true", "\"true\""),
            ("", "\"\""),
            ("2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\""),
            ("12:30", "\"12:30\""),
            ("a: b", "'a: b'"),
            ("it's #1", "'it''s #1'"),
            ("it's", "it's"),
            ("-x", "-x"),
            ("- x", "'- x'"),
            ("[a]", "'[a]'"),
            ("a\tb", "\"a\\tb\""),
            ("1h", "1h"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(document(&json!(text)), want, "{text:?}");
        }
    }

    #[test]
    fn texts_of_several_lines_are_blocks() {
        assert_eq!(document(&json!({"c": "a\nb\n"})), "c: |\n  a\n  b");
        assert_eq!(document(&json!({"c": "a\n\nb"})), "c: |-\n  a\n\n  b");
        assert_eq!(document(&json!({"c": " a\nb"})), "c: \" a\\nb\"");
    }
}
