//! HCL version 1, as policies and configuration files use it, and JSON of the same meaning.
//!
//! ```text
//! path "secret/*" { capabilities = ["read"] }    a block: key, labels, object
//! api_addr = "https://…"                         an attribute
//! { "path": { "secret/*": { … } } }              a text that starts with a brace is JSON
//! ```
//!
//! [`parse`] gives a [`Body`] of items in the order of the text, each with its line. The two ways to write a labelled
//! block (HCL's labels, JSON's nested objects) are brought together by the readers in `hcl/read.rs`.

mod lexer;
mod parser;
mod print;
mod read;

pub use print::format;
pub use read::Block;

/// The longest text that is read.
pub const MAX_BYTES: usize = 4 << 20;
/// How deep objects and lists may lie in each other.
pub const MAX_DEPTH: usize = 64;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct HclError {
    /// From 1.
    pub line: u32,
    /// Names the key where there is one.
    pub message: String,
}

impl HclError {
    /// An error on a line.
    pub fn new(line: u32, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// JSON only.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// As written: `12`, `-1.5e3`, `0x1f`.
    Number(String),
    /// A quoted text or a heredoc.
    Text(String),
    /// `[ … ]`.
    List(Vec<Value>),
    /// `{ … }`.
    Object(Body),
}

impl Value {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

/// One member of a [`Body`]: `key = value`, or `key "label" … { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The first word.
    pub key: String,
    /// The words between the key and the object; none for attributes.
    pub labels: Vec<String>,
    /// What follows.
    pub value: Value,
    /// Where the key stands, from 1.
    pub line: u32,
}

/// The members of an object, or of the whole text, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// In the order of the text; a key may come more than once.
    pub items: Vec<Item>,
    /// Where it begins, from 1.
    pub line: u32,
}

/// Reads a text.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(text: &str) -> Result<Body, HclError> {
    let text = check(text)?;
    let json = is_json(text);
    parser::parse(lexer::scan(text, json)?, json)
}

/// A text that starts with a brace is JSON.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Cuts the byte order mark off, and refuses what is too long.
fn check(text: &str) -> Result<&str, HclError> {
    if text.len() > MAX_BYTES {
        return Err(HclError::new(1, format!("the text is longer than {MAX_BYTES} bytes")));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod tests;
