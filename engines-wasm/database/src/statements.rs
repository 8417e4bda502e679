//! Operators' SQL: split into statements, and the placeholders filled in.

use std::iter::Peekable;
use std::str::CharIndices;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

/// The backend's own expiry lies this much behind the lease's, so that the server always acts first.
const EXPIRES_LATER: u64 = 5;

/// What PostgreSQL's scanner takes for space; other blanks are parts of words to it.
const SPACE: [char; 6] = [' ', '\t', '\n', '\r', '\u{b}', '\u{c}'];

/// What replaces the placeholders.
#[derive(Clone, Copy, Default)]
pub(crate) struct Values<'a> {
    /// `{{name}}` and `{{username}}`.
    pub(crate) name: &'a str,
    /// `{{password}}`.
    pub(crate) password: &'a str,
    /// `{{expiration}}`.
    pub(crate) expiration: &'a str,
}

/// The statements of a role that are needed after its credentials were made, as they were then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Later {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) revocation: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rollback: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) renewal: Vec<String>,
}

/// All statements of a list of texts, in order.
///
/// # Errors
/// A text that says which statement cannot be run inside a transaction of ours.
pub(crate) fn split_all(texts: &[String]) -> Result<Vec<String>, String> {
    let mut statements = Vec::new();
    for text in texts {
        match json_list(text) {
            Some(list) => list.iter().for_each(|text| statements.extend(split(text))),
            None => statements.extend(split(text)),
        }
    }
    match statements.iter().find(|statement| ends_transaction(statement)) {
        Some(statement) => Err(format!("a statement must not begin or end a transaction: {}", excerpt(statement))),
        None => Ok(statements),
    }
}

/// A list that was written as the JSON text of a list.
fn json_list(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    text.starts_with('[').then(|| serde_json::from_str(text).ok()).flatten()
}

/// Splits at semicolons that end a statement: not those in quotes, comments and `$tag$` bodies.
pub(crate) fn split(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((at, c)) = chars.next() {
        match c {
            ';' => {
                push(&mut statements, &text[start..at]);
                start = at + 1;
            }
            '\'' => skip_quoted(&mut chars, '\'', is_escape_string(text, at)),
            '"' => skip_quoted(&mut chars, '"', false),
            '-' if text[at..].starts_with("--") => skip_while(&mut chars, |c| c != '\n'),
            '/' if text[at..].starts_with("/*") => skip_comment(&mut chars),
            // After a word it is a part of that word; after a quoted body it opens the next one.
            '$' if !is_word(before) && before != '$' && skip_dollar_quoted(text, at, &mut chars) => {
                before = ' ';
                continue;
            }
            _ => {}
        }
        before = c;
    }
    push(&mut statements, &text[start..]);
    statements
}

fn push(statements: &mut Vec<String>, text: &str) {
    let text = text.trim_matches(SPACE);
    if !is_blank(text) {
        statements.push(text.to_owned());
    }
}

/// Nothing but space and comments.
fn is_blank(text: &str) -> bool {
    after_comments(text).is_empty()
}

/// The rest of a text behind leading space and comments.
fn after_comments(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(SPACE);
        if text.starts_with("--") {
            text = text.split_once('\n').map_or("", |(_, rest)| rest);
        } else if text.starts_with("/*") {
            let mut chars = text.char_indices().peekable();
            chars.next();
            skip_comment(&mut chars);
            text = chars.peek().map_or("", |&(at, _)| &text[at..]);
        } else {
            return text;
        }
    }
}

/// `E'…'`: a string with backslash escapes.
fn is_escape_string(text: &str, quote: usize) -> bool {
    let mut before = text[..quote].chars().rev();
    matches!(before.next(), Some('e' | 'E')) && !before.next().is_some_and(|c| is_word(c) || c == '$')
}

fn skip_while(chars: &mut Peekable<CharIndices<'_>>, skip: impl Fn(char) -> bool) {
    while chars.next_if(|&(_, c)| skip(c)).is_some() {}
}

/// To the end of a quoted text; the opening quote is read. A doubled quote reads as two texts side by side.
fn skip_quoted(chars: &mut Peekable<CharIndices<'_>>, quote: char, escapes: bool) {
    while let Some((_, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            return;
        }
    }
}

/// To the end of a comment, which may hold others; its slash is read.
fn skip_comment(chars: &mut Peekable<CharIndices<'_>>) {
    let mut depth = 1;
    chars.next();
    while let Some((_, c)) = chars.next() {
        let next = chars.peek().map(|&(_, c)| c);
        match (c, next) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => continue,
        }
        chars.next();
        if depth == 0 {
            return;
        }
    }
}

/// A character of an identifier as PostgreSQL's scanner sees it: letters, digits, `_`, and whatever is not ASCII.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// To the end of `$tag$ … $tag$`; the first dollar is read. A dollar that opens nothing is left alone. Answers whether
/// one was skipped.
fn skip_dollar_quoted(text: &str, at: usize, chars: &mut Peekable<CharIndices<'_>>) -> bool {
    let rest = &text[at + 1..];
    let Some(tag) = rest.find('$').map(|end| &rest[..end]) else { return false };
    if tag.starts_with(|c: char| c.is_ascii_digit()) || !tag.chars().all(is_word) {
        return false;
    }
    let fence = format!("${tag}$");
    let body = at + fence.len();
    let end = text[body..].find(&fence).map_or(text.len(), |end| body + end + fence.len());
    while chars.next_if(|&(at, _)| at < end).is_some() {}
    true
}

/// Whether a statement would begin or end the transaction that it runs in.
fn ends_transaction(statement: &str) -> bool {
    let words: Vec<String> = after_comments(statement)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(3)
        .map(str::to_ascii_uppercase)
        .collect();
    let word = |n: usize| words.get(n).map(String::as_str).unwrap_or_default();
    match word(0) {
        "BEGIN" | "COMMIT" | "END" | "ABORT" => true,
        "ROLLBACK" => word(1) != "TO" && word(2) != "TO",
        "START" | "PREPARE" => word(1) == "TRANSACTION",
        _ => false,
    }
}

fn excerpt(statement: &str) -> String {
    statement.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Fills the placeholders in, in one pass: what is filled in is not read again. Placeholders stand in quotes, by
/// custom, so quotes in a password are doubled; names have none.
pub(crate) fn fill(statement: &str, values: Values<'_>) -> String {
    let mut filled = String::with_capacity(statement.len() + 64);
    let mut rest = statement;
    while let Some(at) = rest.find("{{") {
        let (head, tail) = rest.split_at(at);
        filled.push_str(head);
        let known = [
            ("{{name}}", values.name),
            ("{{username}}", values.name),
            ("{{password}}", values.password),
            ("{{expiration}}", values.expiration),
        ];
        match known.iter().find(|(placeholder, _)| tail.starts_with(placeholder)) {
            Some((placeholder, value)) => {
                filled.push_str(&value.replace('\'', "''"));
                rest = &tail[placeholder.len()..];
            }
            None => {
                filled.push_str("{{");
                rest = &tail[2..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// Statements as one text for the simple protocol. A line break keeps a final comment from swallowing the semicolon.
pub(crate) fn script(statements: &[String], values: Values<'_>) -> String {
    statements.iter().map(|statement| fill(statement, values) + "\n;\n").collect()
}

/// An identifier in quotes.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes, whatever the server's `standard_conforming_strings` says.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\\', "\\\\").replace('\'', "''");
    if text.contains('\\') { format!("E'{quoted}'") } else { format!("'{quoted}'") }
}

/// What `{{expiration}}` becomes for a lease that ends then.
pub(crate) fn expiration(expires_at: u64) -> String {
    let at = expires_at.saturating_add(EXPIRES_LATER);
    i64::try_from(at)
        .ok()
        .and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok())
        .and_then(|at| at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]+0000")).ok())
        .unwrap_or_else(|| "infinity".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_semicolons_that_end_a_statement() {
        for (text, want) in [
            ("", vec![]),
            (" ; ;; ", vec![]),
            ("a", vec!["a"]),
            ("a; b;", vec!["a", "b"]),
            ("select 'a; b'; c", vec!["select 'a; b'", "c"]),
            ("select 'it''s; so'; c", vec!["select 'it''s; so'", "c"]),
            (r"select E'\'; b'; c", vec![r"select E'\'; b'", "c"]),
            (r"select name'\'; c", vec![r"select name'\'", "c"]),
            ("grant \"a;b\" to c; d", vec!["grant \"a;b\" to c", "d"]),
            ("DO $$ begin a; end $$; b", vec!["DO $$ begin a; end $$", "b"]),
            ("DO $x$ begin $$;$$; end $x$; b", vec!["DO $x$ begin $$;$$; end $x$", "b"]),
            ("select $1; select a$b$c; d", vec!["select $1", "select a$b$c", "d"]),
            ("a -- not; here\n; b", vec!["a -- not; here", "b"]),
            ("a /* not; /* nor; */ here; */; b", vec!["a /* not; /* nor; */ here; */", "b"]),
            ("a; -- the end", vec!["a"]),
            ("a; /* ; */ ", vec!["a"]),
            ("é; 'ü;' ß", vec!["é", "'ü;' ß"]),
            ("open 'quote; b", vec!["open 'quote; b"]),
            ("open $$quote; b", vec!["open $$quote; b"]),
            ("do $€$ a; $€$; b", vec!["do $€$ a; $€$", "b"]),
            ("do $$a$$$$b;$$; c", vec!["do $$a$$$$b;$$", "c"]),
            ("select €$1; b", vec!["select €$1", "b"]),
            ("a;\u{a0}$$; b", vec!["a", "\u{a0}$$", "b"]),
        ] {
            assert_eq!(split(text), want, "{text}");
        }
    }

    #[test]
    fn reads_a_json_list_in_one_text() {
        let texts = [r#"["a; b", "c"]"#.to_owned(), "d".to_owned()];
        assert_eq!(split_all(&texts).unwrap(), ["a", "b", "c", "d"]);
    }

    #[test]
    fn refuses_what_would_end_our_transaction() {
        for text in ["COMMIT", "begin; a", "a; /* x */ Rollback", "end", "prepare transaction 'x'", "START TRANSACTION"]
        {
            assert!(split_all(&[text.to_owned()]).is_err(), "{text}");
        }
        for text in ["ROLLBACK TO s", "rollback to savepoint s", "PREPARE q AS SELECT 1", "ENDURE", "BEGINNING"] {
            assert!(split_all(&[text.to_owned()]).is_ok(), "{text}");
        }
    }

    #[test]
    fn fills_placeholders_once_and_safely() {
        let values = Values { name: "n", password: "p'{{name}}", expiration: "e" };
        assert_eq!(
            fill("{{name}} {{username}} '{{password}}' {{expiration}} {{other}} {{", values),
            "n n 'p''{{name}}' e {{other}} {{"
        );
    }

    #[test]
    fn quotes() {
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r"E'a\\''b'");
    }

    #[test]
    fn writes_the_expiration_a_little_later() {
        assert_eq!(expiration(0), "1970-01-01 00:00:05+0000");
        assert_eq!(expiration(1_515_625_519), "2018-01-10 23:05:24+0000");
        assert_eq!(expiration(u64::MAX), "infinity");
    }
}
