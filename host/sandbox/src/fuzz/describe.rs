//! Fuzz target: what guests say of themselves.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cofferdam_model::route::{Description, Kind, Route};

use super::answers::{is_id, taken};
use super::lines::Lines;
use crate::bindings::cofferdam::engine::types::Operation;
use crate::bindings::exports::cofferdam::engine::descriptor as guest;
use crate::convert;
use crate::policy::{Policy, World};

const ID: usize = 512;
/// Bytes of all help texts together.
const HELP: usize = 1 << 20;

/// Without a network, with sockets, with HTTP.
static POLICIES: LazyLock<[Policy; 3]> = LazyLock::new(|| {
    [
        ("kv", include_str!("../../../../policies/kv.toml")),
        ("database", include_str!("../../../../policies/database.toml")),
        ("aws", include_str!("../../../../policies/aws.toml")),
    ]
    .map(|(engine, text)| Policy::parse(engine, text).unwrap())
});

/// The first line is the policy's number. What the host takes claims nothing that the policy does not have.
fn descriptions(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let mut lines = Lines::new(&input);
    let policy = &POLICIES[lines.number::<usize>() % POLICIES.len()];
    let said = guest::Description {
        name: lines.text(ID),
        version: lines.text(ID),
        help: lines.text(HELP),
        routes: lines.list(512, a_route),
        kinds: lines.list(64, a_kind),
        storage_format: lines.number(),
        reads_storage: lines.list(64, Lines::number),
    };
    let Some(taken) = taken(convert::description(said.clone(), policy)) else { return };
    same(&said, &taken);
    assert!(is_id(&taken.name) && (taken.version.is_empty() || is_id(&taken.version)), "{taken:?}");
    assert!(taken.routes.len() <= 512 && taken.kinds.len() <= 64 && taken.reads_storage.len() <= 64);
    assert!(help_bytes(&taken) <= HELP);
    taken.routes.iter().for_each(|route| is_sound(route, policy));
    taken.kinds.iter().for_each(is_bounded);
    assert!(policy.world != World::Secrets || taken.kinds.is_empty());
    let names: BTreeSet<_> = taken.kinds.iter().map(|kind| &kind.name).collect();
    assert_eq!(names.len(), taken.kinds.len());
}

fn a_route(lines: &mut Lines<'_>) -> guest::Route {
    use Operation::{Create, Delete, List, Patch, Read, Update};
    use guest::Traits;
    guest::Route {
        pattern: lines.text(ID),
        operations: lines.list(6, |l| l.one_of(&[Create, Read, Update, Patch, Delete, List])),
        traits: lines.one_of(&[
            Traits::empty(),
            Traits::OPEN_FIELDS,
            Traits::UPSERT,
            Traits::OPEN_FIELDS | Traits::UPSERT,
        ]),
        backend: lines.maybe(|l| l.text(ID)),
        fields: lines.list(256, a_field),
        synopsis: lines.text(ID),
        help: lines.text(ID),
    }
}

fn a_field(lines: &mut Lines<'_>) -> guest::Field {
    use guest::{FieldKind, FieldTraits};
    guest::Field {
        name: lines.text(ID),
        kind: lines.one_of(&[FieldKind::Any, FieldKind::Text, FieldKind::Seconds, FieldKind::CommaList]),
        traits: lines.one_of(&[
            FieldTraits::empty(),
            FieldTraits::REQUIRED,
            FieldTraits::SENSITIVE,
            FieldTraits::REQUIRED | FieldTraits::SENSITIVE,
        ]),
        help: lines.text(ID),
    }
}

fn a_kind(lines: &mut Lines<'_>) -> guest::Kind {
    guest::Kind {
        name: lines.text(ID),
        reads_formats: lines.list(64, Lines::number),
        settles_after: lines.number(),
        creates_within: lines.number(),
        ends_itself: lines.flag(),
    }
}

/// Nothing is lost, and nothing is added.
fn same(said: &guest::Description, taken: &Description) {
    assert_eq!((&taken.name, &taken.version, &taken.help), (&said.name, &said.version, &said.help));
    assert_eq!((taken.storage_format, &taken.reads_storage), (said.storage_format, &said.reads_storage));
    assert_eq!((taken.routes.len(), taken.kinds.len()), (said.routes.len(), said.kinds.len()));
    for (said, taken) in said.routes.iter().zip(&taken.routes) {
        assert_eq!((taken.pattern.as_str(), &taken.backend), (said.pattern.as_str(), &said.backend));
        assert_eq!((taken.operations.len(), taken.fields.len()), (said.operations.len(), said.fields.len()));
        assert_eq!(taken.open_fields, said.traits.contains(guest::Traits::OPEN_FIELDS));
        assert_eq!(taken.upsert, said.traits.contains(guest::Traits::UPSERT));
        for (said, taken) in said.fields.iter().zip(&taken.fields) {
            assert_eq!(taken.name, said.name);
            assert_eq!(taken.required, said.traits.contains(guest::FieldTraits::REQUIRED));
            assert_eq!(taken.sensitive, said.traits.contains(guest::FieldTraits::SENSITIVE));
        }
    }
    for (said, taken) in said.kinds.iter().zip(&taken.kinds) {
        assert_eq!((&taken.name, &taken.reads_formats), (&said.name, &said.reads_formats));
        assert_eq!((taken.settles_after, taken.creates_within), (said.settles_after, said.creates_within));
        assert_eq!(taken.ends_itself, said.ends_itself);
    }
}

/// A backend is named by plain text or by one whole parameter of the pattern, where the policy has a network.
fn is_sound(route: &Route, policy: &Policy) {
    let pattern = route.pattern.as_str();
    assert!(!pattern.starts_with('/') && (pattern.is_empty() || is_id(pattern)), "{route:?}");
    assert!(!route.operations.is_empty() && route.fields.len() <= 256, "{route:?}");
    assert!(route.fields.iter().all(|field| is_id(&field.name)), "{route:?}");
    if let Some(backend) = &route.backend {
        let is_whole = route.pattern.params().any(|param| *backend == format!("{{{param}}}"));
        assert!(is_id(backend) && (is_whole || !backend.contains(['{', '}'])), "{route:?}");
        assert!(policy.has_network(), "{route:?}");
    }
}

fn is_bounded(kind: &Kind) {
    assert!(is_id(&kind.name) && (1..=64).contains(&kind.reads_formats.len()), "{kind:?}");
    assert!(kind.settles_after.max(kind.creates_within) <= 7 * 86_400, "{kind:?}");
}

fn help_bytes(taken: &Description) -> usize {
    let fields = taken.routes.iter().flat_map(|route| &route.fields).map(|field| field.help.len());
    let routes = taken.routes.iter().map(|route| route.help.len() + route.synopsis.len());
    taken.help.len() + routes.chain(fields).sum::<usize>()
}

#[test]
fn descriptions_hold() {
    cofferdam_fuzz::run("description", descriptions);
}
