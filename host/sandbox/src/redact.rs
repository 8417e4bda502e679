//! Takes secrets out of what guests say, in the forms in which they usually leak.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cofferdam_model::{SecretText, json};
use serde_json::Value;
use zeroize::Zeroizing;

/// What stands in place of a secret.
const HIDDEN: &str = "[redacted]";
/// Shorter texts would blacken half of every message and still be guessed.
const SHORTEST: usize = 4;
/// Encoded forms shorter than this hit innocent text.
const SHORTEST_ENCODED: usize = 8;
/// Members of a slot that name and do not open.
const NO_SECRETS: &[&str] = &["username", "user", "host", "port", "database"];

/// Everything that must not be seen in one call's messages.
#[derive(Default)]
pub(crate) struct Redactor {
    texts: Vec<SecretText>,
    json: Vec<SecretText>,
    /// Made for the first message: most calls have none.
    forms: OnceLock<Vec<Zeroizing<String>>>,
}

impl Redactor {
    /// Knows these texts, and the texts inside of these JSON values.
    pub(crate) fn new<'a>(
        texts: impl IntoIterator<Item = &'a SecretText>,
        json: impl IntoIterator<Item = &'a SecretText>,
    ) -> Self {
        Self {
            texts: texts.into_iter().cloned().collect(),
            json: json.into_iter().cloned().collect(),
            ..Self::default()
        }
    }

    fn forms(&self) -> &[Zeroizing<String>] {
        self.forms.get_or_init(|| self.all_forms())
    }

    fn all_forms(&self) -> Vec<Zeroizing<String>> {
        let mut forms = Vec::new();
        for text in &self.texts {
            add_forms(text.expose(), &mut forms);
        }
        for json in &self.json {
            match json::value(json.expose().as_bytes()) {
                Ok(value) => add_value(&value, &mut forms),
                Err(_) => add_forms(json.expose(), &mut forms),
            }
        }
        // Longer forms first, so that no rest of one is left behind by another.
        forms.sort_by_key(|f| std::cmp::Reverse(f.len()));
        forms.dedup();
        forms
    }

    /// The text without secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in self.forms() {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), HIDDEN);
            }
        }
        text
    }

    /// One line for people: without secrets, without characters that end or turn a line, at most `limit` bytes.
    pub(crate) fn line(&self, text: &str, limit: usize) -> String {
        // Once more after the blanks are in: they may be what a secret has at these places.
        let mut line = self.clean(&blanked(self.clean(text).trim()));
        cut(&mut line, limit);
        line
    }
}

/// The text on one line, read from left to right.
fn blanked(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c }).collect()
}

/// Line and paragraph separators, invisible characters, and what changes the direction of writing (Unicode, UAX #9).
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Shortens at a character boundary.
fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit.saturating_sub(3)));
        text.push('…');
    }
}

fn add_value(value: &Value, forms: &mut Vec<Zeroizing<String>>) {
    match value {
        Value::String(text) => add_forms(text, forms),
        Value::Array(items) => items.iter().for_each(|v| add_value(v, forms)),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !NO_SECRETS.contains(&name.to_ascii_lowercase().as_str()))
            .for_each(|(_, v)| add_value(v, forms)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn add_forms(secret: &str, forms: &mut Vec<Zeroizing<String>>) {
    if secret.len() < SHORTEST {
        return;
    }
    let mut add = |form: String, shortest: usize| {
        if form.len() >= shortest && (form != secret || shortest == SHORTEST) {
            forms.push(Zeroizing::new(form));
        }
    };
    add(secret.to_owned(), SHORTEST);
    add(blanked(secret), SHORTEST_ENCODED);
    let escaped = Value::from(secret).to_string();
    add(escaped.trim_matches('"').to_owned(), SHORTEST_ENCODED);
    add(format!("{secret:?}").trim_matches('"').to_owned(), SHORTEST_ENCODED);
    add(secret.replace('\'', "''"), SHORTEST_ENCODED);
    add(hex::encode(secret), SHORTEST_ENCODED);
    add(hex::encode_upper(secret), SHORTEST_ENCODED);
    add(percent(secret, false), SHORTEST_ENCODED);
    add(percent(secret, true), SHORTEST_ENCODED);
    add(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(), SHORTEST_ENCODED);
    for offset in 0..3 {
        add(inner_base64(secret, offset, &STANDARD), SHORTEST_ENCODED);
        add(inner_base64(secret, offset, &URL_SAFE_NO_PAD), SHORTEST_ENCODED);
    }
}

/// Every byte that is not unreserved in a URL, encoded.
fn percent(text: &str, upper: bool) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else if upper {
            out.push_str(&format!("%{byte:02X}"));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
        out
    })
}

/// The characters that the secret alone decides where it is encoded together with something before it
/// (`user:password`), at each of the three possible alignments.
fn inner_base64(secret: &str, offset: usize, alphabet: &base64::engine::GeneralPurpose) -> String {
    let mut bytes = Zeroizing::new(vec![0; offset]);
    bytes.extend_from_slice(secret.as_bytes());
    let encoded = alphabet.encode(bytes.as_slice());
    let first = (offset * 8).div_ceil(6);
    let end = bytes.len() * 8 / 6;
    encoded.get(first..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> SecretText {
        SecretText::new("p@ss'w\"ord/9+")
    }

    #[test]
    fn all_usual_forms_go() {
        let redactor = Redactor::new([&secret()], []);
        let raw = secret().expose().to_owned();
        for form in [
            raw.clone(),
            serde_json::json!({ "a": raw }).to_string(),
            raw.replace('\'', "''"),
            hex::encode(&raw),
            hex::encode_upper(&raw),
            STANDARD.encode(&raw),
            STANDARD.encode(format!("u:{raw}")),
            STANDARD.encode(format!("user:{raw}:more")),
            URL_SAFE_NO_PAD.encode(format!("us:{raw}")),
            percent(&raw, true),
            percent(&raw, false),
            url::form_urlencoded::byte_serialize(raw.as_bytes()).collect(),
        ] {
            let cleaned = redactor.clean(&format!("before {form} after"));
            assert!(cleaned.contains(HIDDEN), "{form} → {cleaned}");
            assert!(cleaned.starts_with("before ") && cleaned.ends_with(" after"), "{cleaned}");
            assert!(!cleaned.contains(&form));
        }
    }

    #[test]
    fn texts_inside_of_json_go_but_names_stay() {
        let slot = SecretText::new(r#"{"username":"vaultadmin","password":"hunter22","nested":[{"key":"abcdef"}]}"#);
        let redactor = Redactor::new([], [&slot]);
        let cleaned = redactor.clean("vaultadmin could not log in with hunter22 nor abcdef");
        assert_eq!(cleaned, "vaultadmin could not log in with [redacted] nor [redacted]");
    }

    #[test]
    fn a_secret_within_a_secret_leaves_no_rest() {
        let redactor = Redactor::new([&SecretText::new("abcd"), &SecretText::new("abcdefgh")], []);
        assert_eq!(redactor.clean("abcdefgh abcd"), "[redacted] [redacted]");
    }

    #[test]
    fn other_blanks_hide_nothing() {
        let redactor = Redactor::new([&SecretText::new("one two three"), &SecretText::new("-----\nabcdef\n-----")], []);
        for said in ["one\ttwo\nthree", "one\u{2028}two\u{202e}three", "-----\nabcdef\n-----", "-----\rabcdef\t-----"] {
            assert_eq!(redactor.line(&format!("so {said}."), 100), "so [redacted].", "{said:?}");
        }
    }

    #[test]
    fn lines_are_single_and_short() {
        let redactor = Redactor::default();
        assert_eq!(redactor.line("a\nb\x1b[31m", 100), "a b [31m");
        assert_eq!(redactor.line("a\u{2029}b\u{202e}c\u{200b}d", 100), "a b c d");
        let long = redactor.line(&"ä".repeat(100), 20);
        assert!(long.len() <= 20 && long.ends_with('…'));
    }

    /// What an engine keeps is its own text: it must not lead the reader down for ever.
    #[test]
    fn a_secret_of_documents_within_texts_is_a_text() {
        let mut text = "0".to_owned();
        for _ in 0..200 {
            let inner = text.replace('\\', "\\u005c").replace('"', "\\u0022");
            let object = format!(r#"{{"$serde_json::private::RawValue":"{inner}"}}"#);
            text = format!("{}{object}{}", "[".repeat(100), "]".repeat(100));
        }
        let kept = [SecretText::new(text)];
        assert_eq!(Redactor::new([], &kept).clean("said"), "said");
    }
}
