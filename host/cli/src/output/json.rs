//! JSON as Go's encoder indents and escapes it.

use serde::Serialize;

/// Indented by two; `<`, `>`, `&` and the two line separators of Unicode are escaped, as Go does by default.
pub(crate) fn pretty(data: &impl Serialize) -> Result<String, String> {
    let text = serde_json::to_string_pretty(data).map_err(|e| e.to_string())?;
    // Outside of texts JSON has none of these characters.
    let escaped = text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
        out
    });
    Ok(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_indents_as_go_does() {
        let data: serde_json::Value = serde_json::from_str(r#"{"b":[],"a":{"x":"<a&b>"},"n":1.50,"z":{}}"#).unwrap();
        assert_eq!(
            pretty(&data).unwrap(),
            "{\n  \"a\": {\n    \"x\": \"\\u003ca\\u0026b\\u003e\"\n  },\n  \"b\": [],\n  \"n\": 1.50,\n  \"z\": {}\n}"
        );
    }
}
