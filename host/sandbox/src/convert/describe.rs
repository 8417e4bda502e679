//! An engine's description of itself, checked against its policy.

use cofferdam_model::request::Operation;
use cofferdam_model::route::{Description, Field, FieldKind, Kind, Pattern, Route};

use super::{BadAnswer, check_id};
use crate::bindings::cofferdam::engine::types as wit;
use crate::bindings::exports::cofferdam::engine::descriptor as guest;
use crate::policy::{Policy, World};

const MAX_ROUTES: usize = 512;
const MAX_FIELDS: usize = 256;
const MAX_KINDS: usize = 64;
const MAX_FORMATS: usize = 64;
/// Bytes of all help texts together.
const MAX_HELP: usize = 1 << 20;
/// The longest time that a kind may ask for: a week.
const MAX_SECONDS: u64 = 7 * 86_400;

/// The description, if the policy bears it.
pub(crate) fn description(said: guest::Description, policy: &Policy) -> Result<Description, BadAnswer> {
    check_id("name", &said.name, false)?;
    check_id("version", &said.version, true)?;
    if said.routes.len() > MAX_ROUTES || said.kinds.len() > MAX_KINDS || said.reads_storage.len() > MAX_FORMATS {
        return Err(BadAnswer::new("too many routes, kinds or formats"));
    }
    if help_bytes(&said) > MAX_HELP {
        return Err(BadAnswer(format!("help texts of more than {MAX_HELP} bytes")));
    }
    if policy.world == World::Secrets && !said.kinds.is_empty() {
        return Err(BadAnswer::new("kinds of credentials, which its policy's world does not have"));
    }
    let routes = said.routes.into_iter().map(|r| route(r, policy)).collect::<Result<Vec<_>, _>>()?;
    let kinds = said.kinds.into_iter().map(kind).collect::<Result<Vec<_>, _>>()?;
    if let Some(twice) = kinds.iter().enumerate().find(|(i, k)| kinds.iter().take(*i).any(|o| o.name == k.name)) {
        return Err(BadAnswer(format!("the kind {} twice", twice.1.name)));
    }
    Ok(Description {
        name: said.name,
        version: said.version,
        help: said.help,
        routes,
        kinds,
        storage_format: said.storage_format,
        reads_storage: said.reads_storage,
    })
}

fn help_bytes(said: &guest::Description) -> usize {
    let routes = said.routes.iter().map(|r| {
        let fields: usize = r.fields.iter().map(|f| f.help.len()).sum();
        r.help.len() + r.synopsis.len() + fields
    });
    said.help.len() + routes.sum::<usize>()
}

fn route(said: guest::Route, policy: &Policy) -> Result<Route, BadAnswer> {
    let text = &said.pattern;
    check_id("pattern", text, true)?;
    if text.starts_with('/') {
        return Err(BadAnswer(format!("route {text}: a slash at the beginning")));
    }
    let pattern = Pattern::parse(text).map_err(BadAnswer)?;
    if let Some(backend) = &said.backend {
        check_backend(backend, &pattern).map_err(|e| BadAnswer(format!("route {text}: {e}")))?;
        if !policy.has_network() {
            return Err(BadAnswer(format!("route {text}: a backend, which its policy does not allow")));
        }
    }
    if said.operations.is_empty() {
        return Err(BadAnswer(format!("route {text}: no operations")));
    }
    if said.fields.len() > MAX_FIELDS {
        return Err(BadAnswer(format!("route {text}: more than {MAX_FIELDS} fields")));
    }
    let fields = said.fields.into_iter().map(field).collect::<Result<Vec<_>, _>>()?;
    Ok(Route {
        pattern,
        operations: said.operations.into_iter().map(operation).collect(),
        open_fields: said.traits.contains(guest::Traits::OPEN_FIELDS),
        upsert: said.traits.contains(guest::Traits::UPSERT),
        backend: said.backend,
        fields,
        synopsis: said.synopsis,
        help: said.help,
    })
}

/// Literal text, or one whole captured parameter.
fn check_backend(backend: &str, pattern: &Pattern) -> Result<(), BadAnswer> {
    check_id("backend", backend, false)?;
    match backend.strip_prefix('{').and_then(|b| b.strip_suffix('}')) {
        Some(param) if pattern.params().any(|captured| captured == param) => Ok(()),
        Some(param) => Err(BadAnswer(format!("the backend is {{{param}}}, which its pattern does not capture"))),
        None if backend.contains(['{', '}']) => Err(BadAnswer::new("a backend with a parameter inside")),
        None => Ok(()),
    }
}

fn field(said: guest::Field) -> Result<Field, BadAnswer> {
    check_id("field", &said.name, false)?;
    Ok(Field {
        name: said.name,
        kind: field_kind(said.kind),
        required: said.traits.contains(guest::FieldTraits::REQUIRED),
        sensitive: said.traits.contains(guest::FieldTraits::SENSITIVE),
        help: said.help,
    })
}

fn field_kind(kind: guest::FieldKind) -> FieldKind {
    match kind {
        guest::FieldKind::Any => FieldKind::Any,
        guest::FieldKind::Text => FieldKind::Text,
        guest::FieldKind::LowerText => FieldKind::LowerText,
        guest::FieldKind::Integer => FieldKind::Integer,
        guest::FieldKind::Boolean => FieldKind::Boolean,
        guest::FieldKind::Object => FieldKind::Object,
        guest::FieldKind::Pairs => FieldKind::Pairs,
        guest::FieldKind::Seconds => FieldKind::Seconds,
        guest::FieldKind::SignedSeconds => FieldKind::SignedSeconds,
        guest::FieldKind::TextList => FieldKind::TextList,
        guest::FieldKind::CommaList => FieldKind::CommaList,
        guest::FieldKind::CommaIntegers => FieldKind::CommaIntegers,
    }
}

fn operation(operation: wit::Operation) -> Operation {
    match operation {
        wit::Operation::Create => Operation::Create,
        wit::Operation::Read => Operation::Read,
        wit::Operation::Update => Operation::Update,
        wit::Operation::Patch => Operation::Patch,
        wit::Operation::Delete => Operation::Delete,
        wit::Operation::List => Operation::List,
    }
}

fn kind(said: guest::Kind) -> Result<Kind, BadAnswer> {
    check_id("kind", &said.name, false)?;
    if said.reads_formats.is_empty() || said.reads_formats.len() > MAX_FORMATS {
        return Err(BadAnswer(format!("kind {}: no formats that it reads, or too many", said.name)));
    }
    if said.settles_after > MAX_SECONDS || said.creates_within > MAX_SECONDS {
        return Err(BadAnswer(format!("kind {}: a time of more than a week", said.name)));
    }
    Ok(Kind {
        name: said.name,
        reads_formats: said.reads_formats,
        settles_after: said.settles_after,
        creates_within: said.creates_within,
        ends_itself: said.ends_itself,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(kind: &str) -> Result<Policy, crate::SandboxError> {
        match kind {
            "kv" => Policy::parse(kind, include_str!("../../../../policies/kv.toml")),
            _ => Policy::parse(kind, include_str!("../../../../policies/database.toml")),
        }
    }

    fn said(pattern: &str, backend: Option<&str>) -> guest::Description {
        guest::Description {
            name: "e".to_owned(),
            version: "1".to_owned(),
            help: String::new(),
            routes: vec![guest::Route {
                pattern: pattern.to_owned(),
                operations: vec![wit::Operation::Read],
                traits: guest::Traits::UPSERT,
                backend: backend.map(str::to_owned),
                fields: Vec::new(),
                synopsis: String::new(),
                help: String::new(),
            }],
            kinds: Vec::new(),
            storage_format: 1,
            reads_storage: vec![1],
        }
    }

    #[test]
    fn routes_may_claim_what_the_policy_allows() -> Result<(), crate::SandboxError> {
        let database = policy("database")?;
        let good = description(said("config/{name}", Some("{name}")), &database);
        assert!(good.is_ok_and(|d| d.routes.iter().all(|r| r.upsert && !r.open_fields)));
        assert!(description(said("config/{name}", Some("fixed")), &database).is_ok());
        for (pattern, backend) in [
            ("config/{name}", Some("{other}")),
            ("config/{name}", Some("a{name}")),
            ("config/{name}", Some("")),
            ("config", Some("{name}")),
            ("{a}/{a}", None),
            ("{a*}/b", None),
            ("config/{a@*}", Some("{a@}")),
            ("/config", None),
        ] {
            assert!(description(said(pattern, backend), &database).is_err(), "{pattern} {backend:?}");
        }
        assert!(description(said("config", None), &policy("kv")?).is_ok());
        assert!(description(said("config", Some("fixed")), &policy("kv")?).is_err(), "kv has no network");
        Ok(())
    }

    #[test]
    fn credentials_need_a_world_that_has_them() -> Result<(), crate::SandboxError> {
        let with = |reads_formats: Vec<u32>, creates_within| {
            let kind = guest::Kind {
                name: "user".to_owned(),
                reads_formats,
                settles_after: 5,
                creates_within,
                ends_itself: false,
            };
            guest::Description { kinds: vec![kind], ..said("x", None) }
        };
        assert!(description(with(vec![1], 10), &policy("database")?).is_ok());
        assert!(description(with(vec![1], 10), &policy("kv")?).is_err());
        assert!(description(with(vec![], 10), &policy("database")?).is_err());
        assert!(description(with(vec![1], u64::MAX), &policy("database")?).is_err());
        Ok(())
    }
}
