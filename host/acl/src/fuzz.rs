//! Fuzz targets: policies, and who may do what by them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use cofferdam_model::{Operation, Timestamp};

use crate::decide::{Acl, Ask};
use crate::document::Policy;
use crate::hcl;
use crate::password::PasswordPolicy;
use crate::template::NoIdentity;

/// Errors lie within the text; the canonical layout means the same, and is final.
fn text(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let body = match hcl::parse(&text) {
        Ok(body) => body,
        Err(error) => {
            let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
            assert!((1..=lines + 1).contains(&error.line), "{error}");
            return;
        }
    };
    if let Ok(printed) = hcl::format(&text) {
        let again = hcl::parse(&printed).unwrap_or_else(|e| panic!("{e} in {printed:?}"));
        assert_eq!(without_lines(again), without_lines(body), "{printed:?}");
        assert_eq!(hcl::format(&printed).as_ref(), Ok(&printed));
    }
    drop(Policy::parse("fuzz", &text));
    drop(PasswordPolicy::parse(&text));
}

fn without_lines(mut body: hcl::Body) -> hcl::Body {
    fn value(of: &mut hcl::Value) {
        match of {
            hcl::Value::Object(inner) => lines(inner),
            hcl::Value::List(items) => items.iter_mut().for_each(value),
            _ => {}
        }
    }
    fn lines(body: &mut hcl::Body) {
        body.line = 0;
        for item in &mut body.items {
            item.line = 0;
            value(&mut item.value);
        }
    }
    lines(&mut body);
    body
}

/// The first line is a path, the others are `PATTERN` (grants read) or `!PATTERN` (denies). The decision is that of a
/// model which tries every pattern.
fn decision(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut lines = input.lines();
    // Slashes in front do not count.
    let path = lines.next().unwrap_or_default().trim_start_matches('/');
    let mut rules: BTreeMap<&str, bool> = BTreeMap::new();
    let mut text = String::new();
    for line in lines {
        let (denies, pattern) = line.strip_prefix('!').map_or((false, line), |pattern| (true, pattern));
        let plain = |c: char| c.is_ascii_alphanumeric() || "/+*._-".contains(c);
        if pattern.contains("+*") || pattern.starts_with('/') || !pattern.chars().all(plain) {
            continue;
        }
        *rules.entry(pattern).or_default() |= denies;
        let capability = if denies { "deny" } else { "read" };
        text.push_str(&format!("path \"{pattern}\" {{ capabilities = [\"{capability}\"] }}\n"));
    }
    let policy = Policy::parse("fuzz", &text).unwrap_or_else(|e| panic!("{e} in {text}"));
    let acl = Acl::new(&[Arc::new(policy)], &NoIdentity, Timestamp::default());
    let ask = Ask { operation: Operation::Read, path, data: None, wrap_ttl: None, needs_sudo: false };
    let verdict = acl.decide(&ask);
    let wanted = model(&rules, path);
    assert_eq!(verdict.pattern, wanted.map(|(pattern, _)| pattern), "{path:?} by {rules:?}");
    assert_eq!(verdict.allowed, wanted.is_some_and(|(_, denies)| !denies), "{path:?} by {rules:?}");
}

/// An exact rule; else, of those that match, the one whose first wildcard comes last, which does not end in `*`, which
/// has fewer `+`, which is longer, which sorts last.
fn model<'a>(rules: &BTreeMap<&'a str, bool>, path: &str) -> Option<(&'a str, bool)> {
    let plus = |pattern: &str| pattern.split('/').filter(|segment| *segment == "+").count();
    if let Some((exact, denies)) = rules.get_key_value(path).filter(|(p, _)| plus(p) == 0 && !p.ends_with('*')) {
        return Some((exact, *denies));
    }
    let first = |pattern: &str| {
        let segments = format!("/{pattern}/").find("/+/").unwrap_or(usize::MAX);
        segments.min(if pattern.ends_with('*') { pattern.len() - 1 } else { usize::MAX })
    };
    rules
        .iter()
        .filter(|(pattern, _)| matches(pattern, path))
        .max_by_key(|(p, _)| (first(p), !p.ends_with('*'), Reverse(plus(p)), p.len(), **p))
        .map(|(pattern, denies)| (*pattern, *denies))
}

fn matches(pattern: &str, path: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    match (pattern.split_once('/'), path.split_once('/')) {
        (Some((want, pattern)), Some((have, path))) => (want == "+" || want == have) && matches(pattern, path),
        (Some(_), None) => false,
        (None, _) if pattern.ends_with('*') => path.starts_with(&pattern[..pattern.len() - 1]),
        (None, Some(_)) => false,
        (None, None) => pattern == "+" || pattern == path,
    }
}

#[test]
fn hcl_texts() {
    cofferdam_fuzz::run("hcl", text);
}

#[test]
fn decisions() {
    cofferdam_fuzz::run("decision", decision);
}
