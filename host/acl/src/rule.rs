//! One rule: what all policies of a token say about the same pattern, and whether it lets a request pass.

use serde_json::{Map, Value, json};

use crate::capability::Capabilities;
use crate::document::{Parameters, PathRule, merge};

/// The merged stanzas of one pattern.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// As the policies write it, placeholders filled in.
    pub(crate) pattern: String,
    pub(crate) capabilities: Capabilities,
    /// Which policy brought which capabilities.
    pub(crate) sources: Vec<(String, Capabilities)>,
    allowed: Parameters,
    denied: Parameters,
    required: Vec<String>,
    min_wrapping_ttl: u64,
    max_wrapping_ttl: u64,
    pub(crate) pagination_limit: u64,
    pub(crate) list_filter: Option<String>,
}

impl Rule {
    /// A rule of nothing yet.
    pub(crate) fn new(pattern: String) -> Self {
        Self {
            pattern,
            capabilities: Capabilities::NONE,
            sources: Vec::new(),
            allowed: Parameters::new(),
            denied: Parameters::new(),
            required: Vec::new(),
            min_wrapping_ttl: 0,
            max_wrapping_ttl: 0,
            pagination_limit: 0,
            list_filter: None,
        }
    }

    /// Adds what one more stanza says.
    pub(crate) fn add(&mut self, policy: &str, stanza: &PathRule) {
        self.sources.push((policy.to_owned(), stanza.capabilities));
        self.capabilities = self.capabilities.or(stanza.capabilities);
        if self.capabilities == Capabilities::DENY {
            self.allowed.clear();
            self.denied.clear();
            self.required.clear();
            return;
        }
        self.min_wrapping_ttl = smaller(self.min_wrapping_ttl, stanza.min_wrapping_ttl);
        self.max_wrapping_ttl = smaller(self.max_wrapping_ttl, stanza.max_wrapping_ttl);
        self.pagination_limit = smaller(self.pagination_limit, stanza.pagination_limit);
        if self.list_filter.is_none() {
            self.list_filter.clone_from(&stanza.list_filter);
        }
        merge(&mut self.allowed, &stanza.allowed_parameters);
        merge(&mut self.denied, &stanza.denied_parameters);
        for name in &stanza.required_parameters {
            if !self.required.contains(name) {
                self.required.push(name.clone());
            }
        }
    }

    /// Whether the answer may go out with this wrapping.
    pub(crate) fn admits_wrapping(&self, ttl: Option<u64>) -> bool {
        let (min, max) = (self.min_wrapping_ttl, self.max_wrapping_ttl);
        if min == 0 && max == 0 {
            return true;
        }
        // Two stanzas may together ask for the impossible.
        ttl.filter(|ttl| *ttl > 0).is_some_and(|ttl| ttl >= min && (max == 0 || ttl <= max))
    }

    /// The parameter because of which the request is refused.
    pub(crate) fn offending<'a>(&'a self, data: Option<&'a Map<String, Value>>) -> Option<&'a str> {
        let sent = |name: &str| data.is_some_and(|data| data.contains_key(name));
        if let Some(missing) = self.required.iter().find(|name| !sent(name)) {
            return Some(missing);
        }
        let data = data.filter(|data| !data.is_empty())?;
        if !self.denied.is_empty() {
            let any = self.denied.contains_key("*");
            for (name, value) in data {
                if any || lookup(&self.denied, name).is_some_and(|values| is_meant(value, values)) {
                    return Some(name);
                }
            }
        }
        if !self.allowed.is_empty() {
            let any = self.allowed.contains_key("*");
            for (name, value) in data {
                match lookup(&self.allowed, name) {
                    Some(values) if is_meant(value, values) => {}
                    None if any => {}
                    _ => return Some(name),
                }
            }
        }
        None
    }

    /// Whether a list must say how long its page is to be.
    pub(crate) fn requires_limit(&self) -> bool {
        self.required.iter().any(|name| name == "limit")
    }

    /// As `sys/internal/ui/resultant-acl` shows it.
    pub(crate) fn resultant(&self) -> Value {
        let mut out = Map::new();
        out.insert("capabilities".into(), json!(self.capabilities.names()));
        for (key, parameters) in [("allowed_parameters", &self.allowed), ("denied_parameters", &self.denied)] {
            if !parameters.is_empty() {
                out.insert(key.into(), json!(parameters));
            }
        }
        if !self.required.is_empty() {
            out.insert("required_parameters".into(), json!(self.required));
        }
        for (key, seconds) in [("min_wrapping_ttl", self.min_wrapping_ttl), ("max_wrapping_ttl", self.max_wrapping_ttl)]
        {
            if seconds > 0 {
                out.insert(key.into(), json!(seconds));
            }
        }
        if self.pagination_limit > 0 {
            out.insert("pagination_limit".into(), json!(self.pagination_limit));
        }
        Value::Object(out)
    }
}

/// The smaller one of those that are set.
fn smaller(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, other) | (other, 0) => other,
        (a, b) => a.min(b),
    }
}

/// The values for a parameter, whose name is compared without case.
fn lookup<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a Vec<Value>> {
    parameters.get(name).or_else(|| parameters.get(&name.to_lowercase()))
}

/// Whether the value is one of those meant; an empty list means every one.
fn is_meant(value: &Value, meant: &[Value]) -> bool {
    meant.is_empty()
        || meant.iter().any(|candidate| match (candidate, value) {
            (Value::String(glob), Value::String(text)) => matches_glob(glob, text),
            (candidate, value) => equal(candidate, value),
        })
}

/// A text with an optional `*` at its beginning and end. A lone `*` is no wildcard: the peers have it so.
fn matches_glob(glob: &str, text: &str) -> bool {
    if glob.len() < 2 {
        return glob == text;
    }
    match (glob.strip_prefix('*'), glob.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(&glob[1..glob.len() - 1]),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => glob == text,
    }
}

/// Equal in depth. Numbers never are: the peers read those of a policy and those of a request as different types, and
/// an operator who wants to bind a number has learned to ask for a text.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), _) | (_, Value::Number(_)) => false,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| equal(v, w)))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_at_the_ends_only() {
        for (glob, text, want) in [
            ("red", "red", true),
            ("b*", "blue", true),
            ("b*", "red", false),
            ("*e", "blue", true),
            ("*l*", "blue", true),
            ("b*e", "blue", false),
            ("*", "blue", false),
            ("*", "*", true),
            ("**", "blue", true),
            ("", "", true),
        ] {
            assert_eq!(matches_glob(glob, text), want, "{glob} {text}");
        }
    }

    #[test]
    fn other_values_are_compared_as_a_whole() {
        let meant = [json!(true), json!(5), json!(["a", "b"]), json!({"k": "v"})];
        for (value, want) in [
            (json!(true), true),
            (json!(false), false),
            (json!("true"), false),
            (json!(5), false),
            (json!(["a", "b"]), true),
            (json!(["a"]), false),
            (json!({"k": "v"}), true),
            (json!({"k": "w"}), false),
        ] {
            assert_eq!(is_meant(&value, &meant), want, "{value}");
        }
    }
}
