//! Typed reading of a [`Body`]: every error names the key and its line.

use cofferdam_model::duration;

use super::{Body, HclError, Item, Value};

/// A block, found by its key.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Its label; empty for blocks that have none.
    pub label: &'a str,
    /// What it holds.
    pub body: &'a Body,
    /// Where it begins.
    pub line: u32,
}

impl Item {
    /// An error about this item.
    pub fn error(&self, message: impl std::fmt::Display) -> HclError {
        HclError::new(self.line, format!("{:?}: {message}", self.key))
    }

    fn wanted(&self, what: &str) -> HclError {
        self.error(format!("expected {what}, found {}", self.value.kind()))
    }

    /// A text; a number or a boolean counts as the text that it was written as.
    ///
    /// # Errors
    /// For any other value.
    pub fn text(&self) -> Result<String, HclError> {
        match &self.value {
            Value::Text(text) | Value::Number(text) => Ok(text.clone()),
            Value::Bool(value) => Ok(value.to_string()),
            _ => Err(self.wanted("a text")),
        }
    }

    /// `true`, `false`, and the texts and numbers that stand for them.
    ///
    /// # Errors
    /// For any other value.
    pub fn boolean(&self) -> Result<bool, HclError> {
        match &self.value {
            Value::Bool(value) => Ok(*value),
            Value::Text(text) | Value::Number(text) => match text.as_str() {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
                "0" | "f" | "F" | "false" | "FALSE" | "False" | "" => Ok(false),
                _ => Err(self.error(format!("{text:?} is neither true nor false"))),
            },
            _ => Err(self.wanted("true or false")),
        }
    }

    /// A whole number, also as a text.
    ///
    /// # Errors
    /// For any other value.
    pub fn integer(&self) -> Result<i64, HclError> {
        let (Value::Number(text) | Value::Text(text)) = &self.value else {
            return Err(self.wanted("a whole number"));
        };
        let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => i64::from_str_radix(digits, 16),
            None => text.trim().parse(),
        };
        parsed.map_err(|_| self.error(format!("{text:?} is no whole number")))
    }

    /// A duration as the API writes them, in seconds; never negative.
    ///
    /// # Errors
    /// For any other value.
    pub fn seconds(&self) -> Result<u64, HclError> {
        let (Value::Number(text) | Value::Text(text)) = &self.value else {
            return Err(self.wanted("a duration"));
        };
        let seconds = duration::parse_text(text).map_err(|why| self.error(why))?;
        u64::try_from(seconds).map_err(|_| self.error("must not be negative"))
    }

    /// A list of texts.
    ///
    /// # Errors
    /// For any other value.
    pub fn texts(&self) -> Result<Vec<String>, HclError> {
        let Value::List(list) = &self.value else { return Err(self.wanted("a list")) };
        list.iter()
            .map(|member| match member {
                Value::Text(text) => Ok(text.clone()),
                other => Err(self.error(format!("expected a list of texts, found {} in it", other.kind()))),
            })
            .collect()
    }

    /// The objects that this item holds: one, or a list of them.
    fn bodies(&self) -> Result<Vec<&Body>, HclError> {
        match &self.value {
            Value::Object(body) => Ok(vec![body]),
            Value::List(list) => list
                .iter()
                .map(|member| match member {
                    Value::Object(body) => Ok(body),
                    other => Err(self.error(format!("expected a list of objects, found {} in it", other.kind()))),
                })
                .collect(),
            _ => Err(self.wanted("an object")),
        }
    }
}

impl Body {
    /// Refuses keys that are not in `known`.
    ///
    /// # Errors
    /// Names the first one.
    pub fn known(&self, known: &[&str]) -> Result<(), HclError> {
        match self.unknown(known).next() {
            Some(item) => Err(HclError::new(item.line, format!("unknown key {:?}", item.key))),
            None => Ok(()),
        }
    }

    /// The items whose keys are not in `known`.
    pub fn unknown<'a>(&'a self, known: &'a [&str]) -> impl Iterator<Item = &'a Item> {
        self.items.iter().filter(move |item| !known.contains(&item.key.as_str()))
    }

    /// The one item of this key.
    ///
    /// # Errors
    /// Where it comes twice, or has labels.
    pub fn item(&self, key: &str) -> Result<Option<&Item>, HclError> {
        let mut found = self.items.iter().filter(|item| item.key == key);
        let first = found.next();
        if let Some(second) = found.next() {
            return Err(second.error("is set twice"));
        }
        match first {
            Some(item) if !item.labels.is_empty() => Err(item.error("takes no label")),
            other => Ok(other),
        }
    }

    /// A text, if it is set. See [`Item::text`].
    ///
    /// # Errors
    /// As [`Body::item`] and [`Item::text`].
    pub fn attr_str(&self, key: &str) -> Result<Option<String>, HclError> {
        self.item(key)?.map(Item::text).transpose()
    }

    /// A boolean, if it is set. See [`Item::boolean`].
    ///
    /// # Errors
    /// As [`Body::item`] and [`Item::boolean`].
    pub fn attr_bool(&self, key: &str) -> Result<Option<bool>, HclError> {
        self.item(key)?.map(Item::boolean).transpose()
    }

    /// A whole number, if it is set. See [`Item::integer`].
    ///
    /// # Errors
    /// As [`Body::item`] and [`Item::integer`].
    pub fn attr_int(&self, key: &str) -> Result<Option<i64>, HclError> {
        self.item(key)?.map(Item::integer).transpose()
    }

    /// A duration, if it is set. See [`Item::seconds`].
    ///
    /// # Errors
    /// As [`Body::item`] and [`Item::seconds`].
    pub fn attr_seconds(&self, key: &str) -> Result<Option<u64>, HclError> {
        self.item(key)?.map(Item::seconds).transpose()
    }

    /// A list of texts, if it is set. See [`Item::texts`].
    ///
    /// # Errors
    /// As [`Body::item`] and [`Item::texts`].
    pub fn attr_list(&self, key: &str) -> Result<Option<Vec<String>>, HclError> {
        self.item(key)?.map(Item::texts).transpose()
    }

    /// All blocks of this key that have no label (`telemetry { … }`), in order.
    ///
    /// # Errors
    /// Where one has a label or is no object.
    pub fn blocks<'a>(&'a self, key: &'a str) -> Result<Vec<Block<'a>>, HclError> {
        let mut out = Vec::new();
        for item in self.items.iter().filter(|item| item.key == key) {
            if !item.labels.is_empty() {
                return Err(item.error("takes no label"));
            }
            out.extend(item.bodies()?.into_iter().map(|body| Block { label: "", body, line: item.line }));
        }
        Ok(out)
    }

    /// All blocks of this key that have one label, in order: `listener "tcp" { … }`, or in JSON
    /// `"listener": {"tcp": { … }}` and `"listener": [{"tcp": { … }}]`.
    ///
    /// # Errors
    /// Where one has no label or more than one, or is no object.
    pub fn labelled<'a>(&'a self, key: &str) -> Result<Vec<Block<'a>>, HclError> {
        let mut out = Vec::new();
        for item in self.items.iter().filter(|item| item.key == key) {
            match item.labels.as_slice() {
                [label] => {
                    out.extend(item.bodies()?.into_iter().map(|body| Block { label, body, line: item.line }));
                }
                [] => {
                    for inner in item.bodies()?.into_iter().flat_map(|body| &body.items) {
                        if !inner.labels.is_empty() {
                            return Err(inner.error(format!("{key} takes one label")));
                        }
                        let bodies = inner.bodies().map_err(|_| item.error("needs a label"))?;
                        out.extend(bodies.into_iter().map(|body| Block { label: &inner.key, body, line: inner.line }));
                    }
                }
                _ => return Err(item.error("takes one label")),
            }
        }
        Ok(out)
    }
}
