//! Fuzz target: operators' SQL.

use crate::statements::{self, Values};

/// A statement that was cut out is one statement, and nothing of the text is lost but what ends statements. What is
/// filled in stands in quotes and stays there.
fn texts(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let split = statements::split(&text);
    for statement in &split {
        assert_eq!(statements::split(statement), std::slice::from_ref(statement), "of {text:?}");
    }
    let joined = split.join("\n;\n");
    assert_eq!(statements::split(&joined), split, "{text:?}");

    let quoted = format!("'{}'", text.replace('\'', "''"));
    let filled = statements::fill("a '{{password}}' b", Values { password: &text, ..Values::default() });
    assert_eq!(filled, format!("a {quoted} b"));
    if !text.contains('\\') {
        assert_eq!(statements::literal(&text), quoted);
    }
}

#[test]
fn statements_hold() {
    cofferdam_fuzz::run("sql", texts);
}
