//! Where configurations name backends: fields with addresses, and what stands in for them where nothing is written.

use cofferdam_model::engine::{Endpoint, Grant, GrantOrigin, NewTarget, Protocol};
use cofferdam_model::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::target::{Address, Grammar, Word};

/// Addresses in one field.
const MAX_LIST: usize = 8;

/// One configuration field that names a backend.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetRule {
    /// The route's pattern, as the engine describes it.
    pub route: String,
    /// The field of a write to it: a text, or a list of texts.
    pub field: String,
    /// How the field is read.
    pub grammar: Grammar,
    /// Whether the field may say `http://`.
    #[serde(default)]
    pub plain_http: bool,
    /// What must come again in the same request when host or port change.
    #[serde(default)]
    pub secret_fields: Vec<String>,
    /// What a write without the field names; the first that fits.
    #[serde(default)]
    pub defaults: Vec<DefaultRule>,
}

/// What stands in for a field that is not written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultRule {
    /// A parameter, if the rule does not fit always.
    pub when: Option<String>,
    /// How the parameter must begin then.
    #[serde(default)]
    pub begins: Vec<String>,
    /// URLs; `{name}` is the value of the parameter `name`.
    pub urls: Vec<String>,
}

/// A part of a host name that a configuration chooses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterRule {
    /// As the defaults of targets name it.
    pub name: String,
    /// The route's pattern.
    pub route: String,
    /// Fields of a write to it; the first that is there counts.
    pub fields: Vec<String>,
    /// What it may be.
    pub grammar: Word,
    /// Where no field is there.
    pub default: String,
}

/// Everything that a policy says of configured backends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TargetRules<'a> {
    pub(crate) targets: &'a [TargetRule],
    pub(crate) parameters: &'a [ParameterRule],
}

/// A field with a value that names something.
fn given<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|v| !v.is_null())
}

/// Whether the value says as little as a field that is not there.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

impl TargetRules<'_> {
    /// Finds what no write could ever make good.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        for rule in self.parameters {
            rule.grammar.check(&rule.default).map_err(|e| format!("parameter {}: default: {e}", rule.name))?;
        }
        for rule in self.targets {
            let at = |e: String| format!("target {}: {e}", rule.field);
            if !rule.grammar.is_http() && (rule.plain_http || !rule.defaults.is_empty()) {
                return Err(at("plain_http and defaults are for https-url".to_owned()));
            }
            for default in &rule.defaults {
                let parameters = self.usual(&rule.route);
                if default.when.as_ref().is_some_and(|w| !parameters.iter().any(|(name, _)| name == w)) {
                    return Err(at("a default depends on an unknown parameter".to_owned()));
                }
                if default.when.is_none() != default.begins.is_empty() {
                    return Err(at("when and begins belong together".to_owned()));
                }
                for url in &default.urls {
                    let filled = fill(url, &parameters);
                    let address = rule.grammar.parse(&filled).map_err(|e| at(format!("{url}: {e}")))?;
                    if address.protocol != Protocol::Https {
                        return Err(at(format!("{url}: a default is https")));
                    }
                }
            }
        }
        Ok(())
    }

    /// The parameters of a route as they are where nothing is written.
    fn usual(&self, route: &str) -> Vec<(String, String)> {
        let rules = self.parameters.iter().filter(|rule| rule.route == route);
        rules.map(|rule| (rule.name.clone(), rule.default.clone())).collect()
    }

    fn parameters(&self, route: &str, fields: &Map<String, Value>) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for rule in self.parameters.iter().filter(|rule| rule.route == route) {
            let written = rule.fields.iter().find_map(|f| given(fields, f).filter(|v| !is_empty(v)).map(|v| (f, v)));
            let value = match written {
                None => rule.default.clone(),
                Some((field, value)) => {
                    let text = value.as_str().ok_or_else(|| invalid(field, "must be a text"))?;
                    rule.grammar.check(text).map_err(|e| invalid(field, e))?;
                    text.to_owned()
                }
            };
            found.push((rule.name.clone(), value));
        }
        Ok(found)
    }

    /// What the fields of a write to `route` name as a backend. See `Engine::target`.
    ///
    /// # Errors
    /// [`cofferdam_model::ErrorKind::Invalid`], naming the field.
    pub(crate) fn target(&self, route: &str, fields: &Map<String, Value>) -> Result<Option<NewTarget>> {
        let parameters = self.parameters(route, fields)?;
        let mut found: Option<NewTarget> = None;
        for rule in self.targets.iter().filter(|rule| rule.route == route) {
            for (address, origin) in rule.addresses(fields, &parameters)? {
                let target = found.get_or_insert_with(|| NewTarget {
                    field: rule.field.clone(),
                    host: address.host.clone(),
                    port: address.port,
                    location: address.location.clone(),
                    secret_fields: Vec::new(),
                    endpoints: Vec::new(),
                });
                for secret in &rule.secret_fields {
                    if !target.secret_fields.contains(secret) {
                        target.secret_fields.push(secret.clone());
                    }
                }
                if rule.grammar.is_http() {
                    let grant = Grant { host: address.host, port: address.port, protocol: address.protocol, origin };
                    target.endpoints.push(Endpoint { field: rule.field.clone(), location: address.location, grant });
                }
            }
            // One address over TCP is all that such a backend has.
            if !rule.grammar.is_http() && found.is_some() {
                break;
            }
        }
        Ok(found)
    }
}

impl TargetRule {
    fn addresses(
        &self,
        fields: &Map<String, Value>,
        parameters: &[(String, String)],
    ) -> Result<Vec<(Address, GrantOrigin)>> {
        let read = |text: &str| self.grammar.parse(text).map_err(|e| invalid(&self.field, &e.to_string()));
        let written = given(fields, &self.field).filter(|v| !(self.grammar.is_http() && is_empty(v)));
        let Some(value) = written else {
            let Some(rule) = self.defaults.iter().find(|rule| rule.fits(parameters)) else { return Ok(Vec::new()) };
            return rule.urls.iter().map(|url| Ok((read(&fill(url, parameters))?, GrantOrigin::Policy))).collect();
        };
        let texts = match value {
            Value::String(text) => vec![text.as_str()],
            Value::Array(list) if self.grammar.is_http() && list.len() <= MAX_LIST => list
                .iter()
                .map(|v| v.as_str().ok_or_else(|| invalid(&self.field, "must be a list of texts")))
                .collect::<Result<_>>()?,
            Value::Array(_) if self.grammar.is_http() => return Err(invalid(&self.field, "is a list of more than 8")),
            _ => return Err(invalid(&self.field, "must be a text")),
        };
        texts
            .into_iter()
            .map(|text| {
                let address = read(text)?;
                if address.protocol == Protocol::Http && !self.plain_http {
                    return Err(invalid(&self.field, "must begin with https://"));
                }
                Ok((address, GrantOrigin::Derived))
            })
            .collect()
    }
}

impl DefaultRule {
    fn fits(&self, parameters: &[(String, String)]) -> bool {
        let Some(when) = &self.when else { return true };
        let value = parameters.iter().find(|(name, _)| name == when).map(|(_, value)| value.as_str());
        value.is_some_and(|value| self.begins.iter().any(|b| value.starts_with(b.as_str())))
    }
}

fn fill(url: &str, parameters: &[(String, String)]) -> String {
    parameters.iter().fold(url.to_owned(), |url, (name, value)| url.replace(&format!("{{{name}}}"), value))
}

fn invalid(field: &str, what: &str) -> Error {
    Error::invalid(format!("{field}: {what}"))
}
