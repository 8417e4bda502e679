//! What a reviewer sees of hostile engines: before they are mounted, and after they were refused something.

use harness::{Cli, Postgres, checkout, hostile_engines};
use serde_json::json;

use crate::arena::arena;

fn tools() -> Cli {
    Cli::bare().with("VAULT_ADDR", arena().api().base()).with("VAULT_TOKEN", arena().api().token())
}

#[test]
fn a_component_is_looked_at_before_it_is_mounted() {
    let file = |name: &str| hostile_engines().join(name).display().to_string();
    let component = file("network.wasm");
    let own = Cli::bare().run(&["engine", "inspect", &format!("-policy={}", file("network.toml")), &component]);
    assert!(own.code == 0 && own.out.contains("issuer"), "{own:?}");
    let narrow = format!("-policy={}", checkout().join("policies/kv.toml").display());
    let said = Cli::bare().run(&["engine", "inspect", "-format=json", &narrow, &component]);
    assert_eq!(said.code, 2, "{said:?}");
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let listed = |field: &str, text: &str| {
        found[field].as_array().unwrap().iter().any(|item| item.as_str().unwrap().contains(text))
    };
    assert!(listed("imports", "wasi:sockets/tcp@") && listed("exports", "cofferdam:engine/backend@"), "{found}");
    assert!(listed("refused", "does not allow the import wasi:sockets/tcp@"), "{found}");
    assert!(!listed("refused", "cofferdam:engine/storage"), "{found}");
}

#[test]
fn what_was_refused_is_listed() {
    arena().mount_with_backend("view-net", "network", Postgres::shared().port());
    arena().attack("view-net/reach/pg/connect", json!({ "address": "10.255.255.1:9" }));
    let shown = tools().json(&["sandbox", "denials", "-format=json", "view-net"]);
    assert_eq!(shown["denials"][0]["attempt"], "connect 10.255.255.1:9", "{shown}");
    assert_eq!(shown["denials"][0]["engine"], "network", "{shown}");
    assert!(tools().ok(&["sandbox", "denials", "view-net"]).contains("no grant names it"));
    let grants = tools().ok(&["sandbox", "grants", "view-net"]);
    assert!(grants.contains("127.0.0.1") && grants.contains("connection_url=postgresql://"), "{grants}");
    let shut = tools().run(&["sandbox", "explain", "-backend=pg", "view-net", "10.255.255.1:9"]);
    assert!(shut.code == 2 && shut.out.contains("is refused"), "{shut:?}");
    assert!(tools().ok(&["sandbox", "list"]).contains("view-net/"));
}
