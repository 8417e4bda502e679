//! What reviewers see of the compartments: what each may reach and why, and what it was refused.

use harness::{Api, DatabaseMount, Postgres, Server};
use serde_json::{Value, json};

use crate::common::shared;

/// The grants of a mount.
fn grants(api: &Api, mount: &str) -> Vec<Value> {
    let body = api.get(&format!("sys/sandbox/grants/{mount}")).expect(200);
    body["data"]["grants"].as_array().expect("grants").clone()
}

fn explain(api: &Api, mount: &str, backend: &str, host: &str, port: u16) -> Value {
    let query = format!("sys/sandbox/explain?mount={mount}&backend={backend}&host={host}&port={port}");
    api.get(&query).expect(200)["data"].clone()
}

#[test]
fn engines_are_shown_with_what_they_may() {
    shared().mount("v-kv", "kv");
    let body = shared().get("sys/sandbox").expect(200);
    let engines = body["data"]["engines"].as_array().unwrap();
    let kv = engines.iter().find(|e| e["type"] == "kv").unwrap();
    assert!(kv["mounts"].as_array().unwrap().contains(&json!("v-kv/")), "{kv}");
    assert_eq!(kv["digest"].as_str().unwrap().len(), 64);
    assert_eq!((&kv["policy"]["world"], &kv["trouble"]), (&json!("secrets"), &Value::Null));
    assert_eq!(kv["policy"]["origin"], "kv.toml, built in");
    assert_eq!(kv["policy"]["limits"]["memory_mib"], 64);
    let imports = kv["imports"].as_array().expect("a mounted engine is loaded");
    let named = |name: &str| imports.iter().any(|i| i.as_str().unwrap().starts_with(name));
    assert!(named("cofferdam:engine/storage@") && !named("wasi:sockets"), "{imports:?}");
}

#[test]
fn a_grant_says_who_opened_it_and_how() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "v-who", cluster);
    let shown = grants(shared(), "v-who");
    assert_eq!(shown.len(), 1, "{shown:?}");
    let grant = &shown[0];
    assert_eq!((&grant["backend"], &grant["host"]), (&json!("pg"), &json!("127.0.0.1")));
    assert_eq!((&grant["port"], &grant["origin"]), (&json!(cluster.port()), &json!("configuration")));
    let why = grant["why"].as_str().unwrap();
    assert!(why.starts_with("v-who/config/pg: connection_url=postgresql://"), "{why}");
    assert!(!why.contains(cluster.password()), "{why}");
    assert!(grant["written_by"].as_str().unwrap().starts_with("root ("), "{grant}");
    assert!(grant["written_at"].as_str().unwrap().starts_with("20"), "{grant}");
    assert_eq!(grant["current"], true);

    shared().post("sys/mounts/v-who/tune", json!({ "egress": ["ldap.corp:636"] })).expect(204);
    mount.credential("app");
    mount.api.delete("v-who/config/pg").expect(204);
    let shown = grants(shared(), "v-who");
    let kept = shown.iter().find(|g| g["backend"] == "pg").expect("a lease still needs it");
    assert!(kept["current"] == false && kept["why"].as_str().unwrap().contains("leases"), "{kept}");
    let tuned = shown.iter().find(|g| g["origin"] == "operator").unwrap();
    assert_eq!((&tuned["host"], &tuned["backend"]), (&json!("ldap.corp"), &json!("*")));
    assert!(tuned["written_by"].as_str().unwrap().starts_with("root ("), "{tuned}");
    shared().put("sys/leases/revoke-prefix/v-who", json!({ "sync": true })).expect(204);
    assert!(grants(shared(), "v-who").iter().all(|g| g["backend"] != "pg"), "the hole outlived its last lease");
}

#[test]
fn the_gate_explains_itself() {
    let port = Postgres::shared().port();
    DatabaseMount::new(shared(), "v-why", Postgres::shared());
    let open = explain(shared(), "v-why", "pg", "127.0.0.1", port);
    assert_eq!((&open["allowed"], &open["addresses"][0]["address"]), (&json!(true), &json!("127.0.0.1")), "{open}");
    assert_eq!(open["rules"][0]["names_it"], true, "{open}");
    for (backend, host, port, reason) in [
        ("pg", "127.0.0.1", 1, "no grant names it"),
        ("pg", "example.org", port, "no grant names this host"),
        ("other", "127.0.0.1", port, "no grant names it"),
        ("", "127.0.0.1", port, "no backend"),
    ] {
        let shut = explain(shared(), "v-why", backend, host, port);
        assert_eq!(shut["allowed"], false, "{shut}");
        assert!(shut["reason"].as_str().unwrap().contains(reason), "{shut}");
    }
    shared().mount("v-why-kv", "kv");
    let shut = explain(shared(), "v-why-kv", "any", "127.0.0.1", port);
    assert!(shut["reason"].as_str().unwrap().contains("import no network"), "{shut}");
    for bad in
        ["mount=nowhere&host=a&port=1", "mount=v-why&port=1", "mount=v-why&host=a&port=0", "mount=sys&host=a&port=1"]
    {
        shared().get(&format!("sys/sandbox/explain?{bad}")).expect(400);
    }
    let denials = shared().get("sys/sandbox/denials?mount=v-why").expect(200);
    assert_eq!(denials["data"]["denials"], json!([]), "a question is no attempt");
}

#[test]
fn what_was_refused_is_listed_and_counted() {
    let server = Server::dev();
    let api = server.api();
    let mount = DatabaseMount::new(&api, "v-shut", Postgres::shared());
    let metadata = "postgresql://{{username}}:{{password}}@169.254.169.254:5432/x";
    assert!(!mount.configure("meta", metadata, Postgres::shared(), json!({})).is_ok());
    let body = api.get("sys/sandbox/denials?mount=v-shut/").expect(200);
    let denial = &body["data"]["denials"][0];
    assert_eq!((&denial["engine"], &denial["mount"]), (&json!("database"), &json!("v-shut/")), "{body}");
    assert_eq!(denial["attempt"], "connect 169.254.169.254:5432");
    assert!(denial["reason"].as_str().unwrap().contains("metadata"), "{denial}");
    assert!(!denial["request_id"].as_str().unwrap().is_empty() && denial["time"].as_str().unwrap().starts_with("20"));
    assert!(body["data"]["counts"][0]["denials"].as_u64().unwrap() >= 1, "{body}");
    assert_eq!(api.get("sys/sandbox/denials?mount=other").expect(200)["data"]["denials"], json!([]));
    let one = api.get("sys/sandbox/denials?limit=1").expect(200);
    assert_eq!(one["data"]["denials"].as_array().unwrap().len(), 1);
    api.get("sys/sandbox/denials?limit=-1").expect(400);
}

#[test]
fn addresses_are_shown_to_those_with_sudo_only() {
    shared().policy("v-read", "path \"sys/sandbox*\" { capabilities = [\"read\"] }");
    shared().policy("v-sudo", "path \"sys/sandbox/*\" { capabilities = [\"read\", \"sudo\"] }");
    let (reader, reviewer) = (shared().child(&["v-read"], json!({})), shared().child(&["v-sudo"], json!({})));
    reader.get("sys/sandbox").expect(200);
    for path in ["sys/sandbox/grants", "sys/sandbox/denials", "sys/sandbox/explain?mount=m&host=h&port=1"] {
        reader.get(path).expect(403);
    }
    reviewer.get("sys/sandbox/grants").expect(200);
    reviewer.get("sys/sandbox/denials").expect(200);
    shared().child(&["default"], json!({})).get("sys/sandbox").expect(403);
}
