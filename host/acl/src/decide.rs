//! Whether a token's policies let a request pass, and why.

use std::collections::HashMap;
use std::sync::Arc;

use cofferdam_model::{Operation, Timestamp};
use serde_json::{Map, Value, json};

use crate::capability::{Capabilities, Capability};
use crate::document::Policy;
use crate::pattern::{Pattern, Rank, Segments};
use crate::rule::Rule;
use crate::template::Identity;

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Create and update are told apart by now.
    pub operation: Operation,
    /// Of the request, with its mount.
    pub path: &'a str,
    /// The body, or the query.
    pub data: Option<&'a Map<String, Value>>,
    /// How long the answer is to be wrapped, in seconds.
    pub wrap_ttl: Option<u64>,
    /// Whether the path is one for administrators.
    pub needs_sudo: bool,
}

/// Why a request may or may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The token has the root policy.
    Root,
    /// A rule grants it; help needs none.
    Granted,
    /// No rule matches the path.
    NoRule,
    /// The rule denies.
    Denied,
    /// The rule does not grant this capability.
    Lacks(Capability),
    /// The operation cannot be granted.
    Ungrantable,
    /// The rule binds the wrapping of the answer.
    Wrapping,
    /// The rule requires this parameter, or forbids it or its value.
    Parameter(String),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => f.write_str("the root policy allows everything"),
            Self::Granted => f.write_str("granted"),
            Self::NoRule => f.write_str("no rule matches the path"),
            Self::Denied => f.write_str("the rule denies"),
            Self::Lacks(capability) => write!(f, "the rule does not grant {}", capability.name()),
            Self::Ungrantable => f.write_str("no policy can grant this operation"),
            Self::Wrapping => f.write_str("the rule asks for the answer to be wrapped within its limits"),
            Self::Parameter(name) => write!(f, "the rule refuses the parameter {name:?}, its value or its absence"),
        }
    }
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// Whether it may pass.
    pub allowed: bool,
    /// Why.
    pub reason: Reason,
    /// The pattern that decided, if any.
    pub pattern: Option<&'a str>,
    /// Puts this `limit` on a list that names none; the rule allows no larger page.
    pub page_limit: Option<u64>,
    /// Show only those names of a list that the token may read (or list) below this path.
    pub list_filter: Option<&'a str>,
    sources: &'a [(String, Capabilities)],
    needed: Option<Capability>,
}

impl<'a> Verdict<'a> {
    fn new(allowed: bool, reason: Reason) -> Self {
        Self { allowed, reason, pattern: None, page_limit: None, list_filter: None, sources: &[], needed: None }
    }

    /// The policies that grant the capability, for the audit log. The root policy is one of them.
    pub fn granting(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let needed = self.needed;
        let root = (self.reason == Reason::Root).then_some("root");
        let granting = self.sources.iter().filter(move |(_, c)| needed.is_some_and(|n| c.has(n)));
        root.into_iter().chain(granting.map(|(name, _)| name.as_str()))
    }
}

/// The policies of one token, prepared for deciding.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    root: bool,
    exact: HashMap<String, Rule>,
    /// By what stands before the `*`.
    prefixes: HashMap<String, Rule>,
    /// The lengths of these, descending: a look-up tries each once.
    lengths: Vec<usize>,
    /// The most specific first.
    segments: Vec<(Segments, Rule)>,
    valid_until: Option<Timestamp>,
}

impl Acl {
    /// Merges the policies. Stanzas whose placeholders have no value for this identity, and those that have expired,
    /// do not count. The root policy swallows all others.
    pub fn new(policies: &[Arc<Policy>], identity: &dyn Identity, now: Timestamp) -> Self {
        let mut acl = Self { root: policies.iter().any(|policy| policy.is_root()), ..Self::default() };
        if acl.root {
            return acl;
        }
        let mut segments: HashMap<String, (Segments, Rule)> = HashMap::new();
        for policy in policies {
            for stanza in &policy.paths {
                if let Some(expiration) = stanza.expiration {
                    if expiration <= now {
                        continue;
                    }
                    acl.valid_until = Some(acl.valid_until.map_or(expiration, |until| until.min(expiration)));
                }
                let Some(path) = stanza.path.fill(identity) else { continue };
                let new = || Rule::new(path.clone());
                let rule = match Pattern::parse(&path) {
                    Pattern::Exact(path) => acl.exact.entry(path).or_insert_with(new),
                    Pattern::Prefix(stem) => acl.prefixes.entry(stem).or_insert_with(new),
                    Pattern::Segments(pattern) => {
                        &mut segments.entry(path.clone()).or_insert_with(|| (pattern, new())).1
                    }
                };
                rule.add(&policy.name, stanza);
            }
        }
        acl.segments = segments.into_values().collect();
        acl.segments.sort_by(|(a, _), (b, _)| b.rank().cmp(&a.rank()));
        acl.lengths = acl.prefixes.keys().map(String::len).collect();
        acl.lengths.sort_unstable_by(|a, b| b.cmp(a));
        acl.lengths.dedup();
        acl
    }

    /// Whether everything is allowed.
    pub fn is_root(&self) -> bool {
        self.root
    }

    /// When a stanza in it expires: build it anew from then on.
    pub fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }

    /// Whether the request may pass.
    pub fn decide<'a>(&'a self, ask: &Ask<'a>) -> Verdict<'a> {
        if self.root {
            return Verdict::new(true, Reason::Root);
        }
        if ask.operation == Operation::Help {
            return Verdict::new(true, Reason::Granted);
        }
        let Some(rule) = self.find(ask.path, ask.operation == Operation::List) else {
            return Verdict::new(false, Reason::NoRule);
        };
        let reason = judge(rule, ask);
        Verdict {
            allowed: reason == Reason::Granted,
            reason,
            pattern: Some(&rule.pattern),
            page_limit: Some(rule.pagination_limit)
                .filter(|limit| *limit > 0 && ask.operation == Operation::List && limit_of(ask.data).is_none()),
            list_filter: rule.list_filter.as_deref().filter(|_| ask.operation == Operation::List),
            sources: &rule.sources,
            needed: Capability::needed_by(ask.operation),
        }
    }

    /// What the path's rule grants, as `sys/capabilities` shows it.
    pub fn capabilities(&self, path: &str) -> Vec<&'static str> {
        if self.root {
            return vec!["root"];
        }
        self.find(path, true).map_or(Capabilities::NONE, |rule| rule.capabilities).names()
    }

    /// Whether a write of this path may pass as a create, and as an update. Where both are the same, nobody needs to
    /// find out which of the two it is.
    pub fn could_create_or_update(&self, path: &str) -> (bool, bool) {
        if self.root {
            return (true, true);
        }
        let granted = self.find(path, false).map_or(Capabilities::NONE, |rule| rule.capabilities);
        (granted.has(Capability::Create), granted.has(Capability::Update))
    }

    /// Whether any rule grants anything at or below a mount path (`secret/`).
    pub fn touches(&self, mount: &str) -> bool {
        if self.root {
            return true;
        }
        let grants = |rule: &Rule| !rule.capabilities.is_barren();
        let folder = mount.trim_end_matches('/');
        let below = |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        // The rule that covers the whole mount, where no more specific one does.
        let cover = self.longest_prefix(mount);
        cover.is_some_and(|(_, rule)| grants(rule))
            || self.exact.iter().any(|(path, rule)| below(path) && grants(rule))
            || self.prefixes.iter().any(|(stem, rule)| below(stem) && grants(rule))
            || self.segments.iter().any(|(pattern, rule)| {
                grants(rule)
                    && pattern.reaches(mount)
                    && cover.is_none_or(|(stem, _)| pattern.rank() > Rank::of_prefix(stem))
            })
    }

    /// For `sys/internal/ui/resultant-acl`.
    pub fn resultant(&self) -> Value {
        if self.root {
            return json!({ "root": true });
        }
        let shown = |(path, rule): (&str, &Rule)| (path.to_owned(), rule.resultant());
        let exact: Map<String, Value> = self.exact.iter().map(|(path, rule)| shown((path, rule))).collect();
        let prefixes = self.prefixes.iter().map(|(stem, rule)| shown((stem, rule)));
        let segments = self.segments.iter().map(|(pattern, rule)| shown((pattern.stem(), rule)));
        let globs: Map<String, Value> = prefixes.chain(segments).collect();
        json!({ "root": false, "exact_paths": exact, "glob_paths": globs })
    }

    /// The one rule that decides about a path. For lists, a rule for the folder without its slash counts too.
    fn find(&self, path: &str, list: bool) -> Option<&Rule> {
        let path = path.trim_start_matches('/');
        let bare = path.strip_suffix('/').filter(|_| list);
        self.exact
            .get(path)
            .or_else(|| bare.and_then(|bare| self.exact.get(bare)))
            .or_else(|| self.best(path))
            .or_else(|| bare.and_then(|bare| self.best(bare)))
    }

    /// The most specific rule with a wildcard.
    fn best(&self, path: &str) -> Option<&Rule> {
        let prefix = self.longest_prefix(path);
        let segments = self.segments.iter().find(|(pattern, _)| pattern.matches(path));
        match (prefix, segments) {
            (Some((stem, prefix)), Some((pattern, segments))) => {
                Some(if pattern.rank() > Rank::of_prefix(stem) { segments } else { prefix })
            }
            (prefix, segments) => prefix.map(|(_, rule)| rule).or(segments.map(|(_, rule)| rule)),
        }
    }

    fn longest_prefix<'p>(&self, path: &'p str) -> Option<(&'p str, &Rule)> {
        self.lengths.iter().find_map(|len| {
            let stem = path.get(..*len)?;
            self.prefixes.get(stem).map(|rule| (stem, rule))
        })
    }
}

fn judge(rule: &Rule, ask: &Ask<'_>) -> Reason {
    let Some(needed) = Capability::needed_by(ask.operation) else { return Reason::Ungrantable };
    if rule.capabilities == Capabilities::DENY {
        return Reason::Denied;
    }
    for capability in [Some(needed), ask.needs_sudo.then_some(Capability::Sudo)].into_iter().flatten() {
        if !rule.capabilities.has(capability) {
            return Reason::Lacks(capability);
        }
    }
    if !rule.admits_wrapping(ask.wrap_ttl) {
        return Reason::Wrapping;
    }
    match ask.operation {
        Operation::Read | Operation::Create | Operation::Update | Operation::Patch => match rule.offending(ask.data) {
            Some(name) => Reason::Parameter(name.to_owned()),
            None => Reason::Granted,
        },
        Operation::List if rule.pagination_limit > 0 => match limit_of(ask.data) {
            None if rule.requires_limit() => Reason::Parameter("limit".to_owned()),
            Some(limit) if !(1..=rule.pagination_limit).contains(&limit) => Reason::Parameter("limit".to_owned()),
            _ => Reason::Granted,
        },
        _ => Reason::Granted,
    }
}

/// The page that a list asks for: 0 for one without end, and for what is no number.
fn limit_of(data: Option<&Map<String, Value>>) -> Option<u64> {
    data?.get("limit").map(|value| match value {
        Value::String(text) => text.trim().parse().unwrap_or(0),
        other => other.as_u64().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests;
