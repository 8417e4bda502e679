//! The text of an ACL policy, in HCL or JSON, and what it says.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cofferdam_model::Timestamp;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::capability::{Capabilities, Capability};
use crate::hcl::{self, Block, Body, HclError, Item};
use crate::template::Template;

/// Parameter names, in lower case, and the values that are meant; an empty list means any value.
pub type Parameters = BTreeMap<String, Vec<Value>>;

/// A policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// As it is stored: lower case.
    pub name: String,
    /// In the order of the text.
    pub paths: Vec<PathRule>,
}

/// One `path` stanza.
#[derive(Clone, Debug, PartialEq)]
pub struct PathRule {
    /// The pattern, which may have placeholders; without a leading slash.
    pub path: Template,
    /// What it grants.
    pub capabilities: Capabilities,
    /// If there are any: no other parameters are allowed.
    pub allowed_parameters: Parameters,
    /// Not allowed.
    pub denied_parameters: Parameters,
    /// Must be there; in lower case.
    pub required_parameters: Vec<String>,
    /// In seconds; 0: none.
    pub min_wrapping_ttl: u64,
    /// In seconds; 0: none.
    pub max_wrapping_ttl: u64,
    /// From then on the stanza counts no more.
    pub expiration: Option<Timestamp>,
    /// The largest page that a list may ask for; 0: any.
    pub pagination_limit: u64,
    /// Lists show only what the token may read below this path.
    pub list_filter: Option<String>,
}

/// The text itself, taken out of base64 if it was wrapped in it.
pub fn decode(text: &str) -> Cow<'_, str> {
    // Neither blanks, quotes nor braces are in base64's alphabet, and no policy goes without them.
    let decoded = STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded {
        Some(decoded) if !decoded.is_empty() => Cow::Owned(decoded),
        _ => Cow::Borrowed(text),
    }
}

impl Policy {
    /// Reads the text of a policy. What `name` says in the text does not count.
    ///
    /// # Errors
    /// The first thing that is wrong with it, for the client.
    pub fn parse(name: &str, text: &str) -> Result<Self, HclError> {
        let text = decode(text);
        let body = hcl::parse(&text)?;
        body.known(&["name", "path"])?;
        body.attr_str("name")?;
        let paths = body.labelled("path")?.into_iter().map(stanza).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_lowercase(), paths })
    }

    /// Whether it grants everything.
    pub fn is_root(&self) -> bool {
        self.name == "root"
    }

    /// Whether a path depends on who asks.
    pub fn has_placeholders(&self) -> bool {
        self.paths.iter().any(|rule| rule.path.has_placeholders())
    }
}

const KEYS: [&str; 13] = [
    "allowed_parameters",
    "capabilities",
    "comment",
    "control_group",
    "denied_parameters",
    "expiration",
    "list_scan_response_keys_filter_path",
    "max_wrapping_ttl",
    "mfa_methods",
    "min_wrapping_ttl",
    "pagination_limit",
    "policy",
    "required_parameters",
];

fn stanza(block: Block<'_>) -> Result<PathRule, HclError> {
    let Block { label, body, line } = block;
    let about = |error: HclError| HclError::new(error.line, format!("path {label:?}: {}", error.message));
    let pattern = label.strip_prefix('/').unwrap_or(label);
    if pattern.contains("+*") {
        return Err(HclError::new(line, format!("path {label:?}: invalid use of wildcards (\"+*\" is forbidden)")));
    }
    let path = Template::parse(pattern).map_err(|why| HclError::new(line, format!("path {why}")))?;
    read(path, body).map_err(about)
}

fn read(path: Template, body: &Body) -> Result<PathRule, HclError> {
    body.known(&KEYS)?;
    let rule = PathRule {
        path,
        capabilities: capabilities(body)?,
        allowed_parameters: parameters(body, "allowed_parameters")?,
        denied_parameters: parameters(body, "denied_parameters")?,
        required_parameters: body
            .attr_list("required_parameters")?
            .unwrap_or_default()
            .iter()
            .map(|name| name.to_lowercase())
            .collect(),
        min_wrapping_ttl: body.attr_seconds("min_wrapping_ttl")?.unwrap_or(0),
        max_wrapping_ttl: body.attr_seconds("max_wrapping_ttl")?.unwrap_or(0),
        expiration: body.item("expiration")?.map(instant).transpose()?,
        pagination_limit: body.item("pagination_limit")?.map(limit).transpose()?.unwrap_or(0),
        list_filter: body.attr_str("list_scan_response_keys_filter_path")?.filter(|path| !path.is_empty()),
    };
    if rule.max_wrapping_ttl > 0 && rule.max_wrapping_ttl < rule.min_wrapping_ttl {
        return Err(HclError::new(body.line, "max_wrapping_ttl cannot be less than min_wrapping_ttl"));
    }
    Ok(rule)
}

fn capabilities(body: &Body) -> Result<Capabilities, HclError> {
    use Capability::{Create, Delete, Deny, List, Read, Sudo, Update};
    let short: &[Capability] = match body.item("policy")? {
        None => &[],
        Some(item) => match item.text()?.as_str() {
            "" => &[],
            "deny" => &[Deny],
            "read" => &[Read, List],
            "write" => &[Create, Read, Update, Delete, List],
            "sudo" => &[Create, Read, Update, Delete, List, Sudo],
            other => return Err(item.error(format!("invalid policy {other:?}"))),
        },
    };
    let Some(item) = body.item("capabilities")? else { return Ok(short.iter().copied().collect()) };
    let mut set: Capabilities = short.iter().copied().collect();
    for name in item.texts()? {
        let capability =
            Capability::from_name(&name).ok_or_else(|| item.error(format!("invalid capability {name:?}")))?;
        set = set.or([capability].into_iter().collect());
    }
    Ok(set)
}

fn parameters(body: &Body, key: &str) -> Result<Parameters, HclError> {
    let mut out = Parameters::new();
    for block in body.blocks(key)? {
        for item in &block.body.items {
            let hcl::Value::List(values) = &item.value else {
                return Err(item.error(format!("expected a list of values in {key}, found {}", item.value.kind())));
            };
            let values = values.iter().map(json).collect();
            merge(&mut out, &Parameters::from([(item.key.to_lowercase(), values)]));
        }
    }
    Ok(out)
}

/// Values add up, but an empty list (any value) stays empty.
pub(crate) fn merge(into: &mut Parameters, from: &Parameters) {
    for (name, values) in from {
        match into.get_mut(name) {
            Some(existing) if existing.is_empty() || values.is_empty() => existing.clear(),
            Some(existing) => existing.extend(values.iter().cloned()),
            None => {
                into.insert(name.clone(), values.clone());
            }
        }
    }
}

fn json(value: &hcl::Value) -> Value {
    match value {
        hcl::Value::Null => Value::Null,
        hcl::Value::Bool(value) => Value::Bool(*value),
        hcl::Value::Text(text) => Value::String(text.clone()),
        // What JSON has no number for (0x1f) stays a text.
        hcl::Value::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
        hcl::Value::List(list) => list.iter().map(json).collect(),
        hcl::Value::Object(body) => {
            Value::Object(body.items.iter().map(|item| (item.key.clone(), json(&item.value))).collect())
        }
    }
}

fn instant(item: &Item) -> Result<Timestamp, HclError> {
    let text = item.text()?;
    let time = OffsetDateTime::parse(text.trim(), &Rfc3339)
        .map_err(|_| item.error(format!("{text:?} is no time (such as 2026-01-31T12:00:00Z)")))?;
    Ok(Timestamp(i64::try_from(time.unix_timestamp_nanos()).unwrap_or(i64::MAX)))
}

fn limit(item: &Item) -> Result<u64, HclError> {
    u64::try_from(item.integer()?).map_err(|_| item.error("must not be negative"))
}

#[cfg(test)]
mod tests;
