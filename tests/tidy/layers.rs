//! Who may import whom. The crate graph is the architecture.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::files::manifests;

/// Each crate of ours with all that it may know of ours, bottom layer first.
const LAYERS: &[(&str, &[&str])] = &[
    // Nothing, but in tests.
    ("cofferdam-failpoints", &[]),
    ("cofferdam-model", &[]),
    ("cofferdam-crypto", &["cofferdam-model"]),
    ("cofferdam-acl", &["cofferdam-model"]),
    ("cofferdam-storage", &["cofferdam-failpoints", "cofferdam-model", "cofferdam-crypto"]),
    ("cofferdam-tokens", &["cofferdam-model", "cofferdam-crypto", "cofferdam-storage"]),
    ("cofferdam-leases", &["cofferdam-failpoints", "cofferdam-model", "cofferdam-crypto", "cofferdam-storage"]),
    // Storage reaches it as the model's view, never as itself.
    ("cofferdam-sandbox", &["cofferdam-model"]),
    // Engines reach it as the model's loader: it knows neither wasmtime nor HTTP.
    (
        "cofferdam-core",
        &[
            "cofferdam-failpoints",
            "cofferdam-model",
            "cofferdam-crypto",
            "cofferdam-acl",
            "cofferdam-storage",
            "cofferdam-tokens",
            "cofferdam-leases",
        ],
    ),
    ("cofferdam-api", &["cofferdam-model", "cofferdam-core"]),
    ("cofferdam-client", &["cofferdam-model"]),
    ("cofferdam-cli", &["cofferdam-model", "cofferdam-acl", "cofferdam-client"]),
    (
        "cofferdam-server",
        &[
            "cofferdam-failpoints",
            "cofferdam-model",
            "cofferdam-crypto",
            "cofferdam-acl",
            "cofferdam-storage",
            "cofferdam-tokens",
            "cofferdam-leases",
            "cofferdam-sandbox",
            "cofferdam-core",
            "cofferdam-api",
            "cofferdam-cli",
        ],
    ),
    // Host and engines share the contract's text, never a crate.
    ("engine-sdk", &[]),
    ("engine-kv", &["engine-sdk"]),
    ("engine-names", &[]),
    ("engine-database", &["engine-sdk", "engine-names"]),
    ("engine-aws", &["engine-sdk", "engine-names"]),
    ("engine-template", &["engine-sdk"]),
    // The black box.
    ("cofferdam-tests", &[]),
    ("cofferdam-bench", &["cofferdam-tests"]),
    ("cofferdam-dev", &[]),
    ("cofferdam-fuzz", &[]),
];

/// What a crate may know for its tests only, beside what it knows anyway.
const FOR_TESTS: &[(&str, &[&str])] = &[
    ("cofferdam-model", &["cofferdam-fuzz"]),
    ("cofferdam-acl", &["cofferdam-fuzz"]),
    // sqlx, the client of the guests, is the witness of what the host reads out of a connection string; an example that
    // holds instances against a static answer serves it by axum.
    ("cofferdam-sandbox", &["cofferdam-fuzz", "sqlx", "axum"]),
    ("cofferdam-api", &["cofferdam-fuzz"]),
    ("engine-names", &["cofferdam-fuzz"]),
    ("engine-database", &["cofferdam-fuzz"]),
];

/// One foreign world, one crate.
const WORLDS: &[(&str, &[&str])] = &[
    ("wasmtime", &["cofferdam-sandbox"]),
    ("wasmtime-wasi", &["cofferdam-sandbox"]),
    ("wasmtime-wasi-http", &["cofferdam-sandbox"]),
    ("axum", &["cofferdam-api"]),
    ("sqlx", &["cofferdam-storage", "engine-database"]),
    ("aes-gcm", &["cofferdam-crypto"]),
    ("blahaj", &["cofferdam-crypto"]),
    ("reqwest", &["cofferdam-client"]),
    ("wit-bindgen", &["engine-sdk", "hostile-guests"]),
];

#[test]
fn crates_import_downward_only() {
    for (name, imports) in crates() {
        let ours = |import: &&String| import.starts_with("cofferdam-") || import.starts_with("engine-");
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == name) else {
            assert!(!imports.iter().any(|i| ours(&i)), "{name} is in no layer: say in this file what it may import");
            continue;
        };
        for import in imports.iter().filter(ours) {
            assert!(allowed.contains(&import.as_str()), "{name} may not import {import}");
        }
    }
}

#[test]
fn a_foreign_world_is_known_by_its_own_crates_only() {
    for (name, imports) in crates() {
        for (world, knowers) in WORLDS {
            assert!(!imports.contains(*world) || knowers.contains(&name.as_str()), "{name} may not import {world}");
        }
    }
}

#[test]
fn every_layer_is_a_crate() {
    let names: BTreeSet<String> = crates().into_iter().map(|(name, _)| name).collect();
    for (layer, _) in LAYERS {
        assert!(names.contains(*layer), "{layer} is no crate of this repository");
    }
}

#[test]
fn crates_share_one_table_of_lints() {
    for manifest in manifests() {
        let table: Table = manifest.text.parse().expect("a manifest is TOML");
        if table.contains_key("package") && !manifest.name.starts_with("tests/hostile/") {
            let shared = table.get("lints").and_then(|l| l.get("workspace")).and_then(Value::as_bool);
            assert_eq!(shared, Some(true), "{}: [lints] workspace = true is missing", manifest.name);
        }
    }
}

/// Every crate with the names of what it depends on, in whatever section and under whatever alias.
fn crates() -> Vec<(String, BTreeSet<String>)> {
    let mut crates = Vec::new();
    for manifest in manifests() {
        let table: Table = manifest.text.parse().unwrap_or_else(|e| panic!("{}: {e}", manifest.name));
        let Some(name) = table.get("package").and_then(|p| p.get("name")).and_then(Value::as_str) else { continue };
        let mut imports = BTreeSet::new();
        collect(&table, name, &mut imports);
        for target in table.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values) {
            collect(target.as_table().expect("a target is a table"), name, &mut imports);
        }
        // A crate may test itself with features that it does not ship.
        imports.remove(name);
        crates.push((name.to_owned(), imports));
    }
    crates
}

fn collect(section: &Table, name: &str, imports: &mut BTreeSet<String>) {
    let for_tests = FOR_TESTS.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, imports)| imports);
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (alias, what) in section.get(kind).and_then(Value::as_table).into_iter().flatten() {
            let import = what.get("package").and_then(Value::as_str).unwrap_or(alias);
            if kind != "dev-dependencies" || !for_tests.contains(&import) {
                imports.insert(import.to_owned());
            }
        }
    }
}
