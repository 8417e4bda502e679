//! Who may do what: order of checks, the existence check, sudo, what shows itself to whom.

use cofferdam_model::ErrorKind::{Denied, Invalid, UnsupportedOperation, UnsupportedPath};
use cofferdam_model::{Request, SecretText};
use serde_json::{Value, json};

use crate::world::{Delete, Help, List, Read, Update, World, data, refused};

#[tokio::test]
async fn the_existence_check_tells_create_from_update() {
    let world = World::new().await;
    world.mounted().await;
    let write = async |token: &str, path: &str| {
        world.ask(token, Update, &format!("kv/data/{path}"), json!({ "x": 1 })).await.map(|_| ()).map_err(|e| e.kind)
    };
    let creator = world.limited("creator", r#"path "kv/data/*" { capabilities = ["create"] }"#).await;
    let updater = world.limited("updater", r#"path "kv/data/*" { capabilities = ["update"] }"#).await;
    let reader = world.limited("reader", r#"path "kv/data/*" { capabilities = ["read"] }"#).await;
    assert_eq!(write(&updater, "a").await, Err(Denied));
    assert_eq!(write(&creator, "a").await, Ok(()));
    assert_eq!(write(&creator, "a").await, Err(Denied));
    assert_eq!(write(&updater, "a").await, Ok(()));
    assert_eq!(write(&reader, "a").await, Err(Denied));
    assert_eq!(world.root(Read, "kv/data/a", Value::Null).await, json!({ "x": 1 }));
    // A route without the check is only ever updated.
    assert_eq!(refused(world.ask(&creator, Update, "kv/update-only/a", json!({ "x": 1 })).await), Denied);
}

#[tokio::test]
async fn routes_show_themselves_only_to_the_allowed() {
    let world = World::new().await;
    world.mounted().await;
    let nobody = world.token(json!({ "policies": ["default"] })).await;
    for path in ["nowhere/x", "kv/nothing", "kv/data/a", "sys/nothing", "sys/mounts", "identity/entity", "sys", "kv"] {
        assert_eq!(refused(world.ask(&nobody, Read, path, Value::Null).await), Denied, "{path}");
        assert_eq!(refused(world.ask("", Read, path, Value::Null).await), Denied, "{path}");
        assert_eq!(refused(world.ask("hvs.wrong", Read, path, Value::Null).await), Denied, "{path}");
    }
    for path in ["nowhere/x", "kv/nothing", "sys/nothing", "identity/entity", "kv"] {
        assert_eq!(refused(world.ask(&world.root, Read, path, Value::Null).await), UnsupportedPath, "{path}");
    }
    assert_eq!(refused(world.ask(&world.root, Delete, "sys/seal", Value::Null).await), UnsupportedOperation);
    assert_eq!(refused(world.ask(&world.root, Read, "kv/count/a", Value::Null).await), UnsupportedOperation);
}

#[tokio::test]
async fn administrators_paths_need_sudo() {
    let world = World::new().await;
    world.mounted().await;
    let all = r#"path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list"] }"#;
    let token = world.limited("all", all).await;
    let cases = [
        (Update, "sys/seal", json!({})),
        (Update, "sys/remount", json!({ "from": "kv", "to": "kv2" })),
        (Read, "sys/auth/token", json!({})),
        (Read, "sys/auth/token/", json!({})),
        (Delete, "sys/auth/token/", json!({})),
        (Update, "sys/auth/x", json!({ "type": "userpass" })),
        (Update, "sys/auth/token/tune", json!({})),
        (List, "sys/leases/lookup/", json!({})),
        (List, "sys/leases/lookup/db/", json!({})),
        (Read, "sys/leases", json!({ "type": "irrevocable" })),
        (Update, "sys/leases/revoke-prefix/db", json!({})),
        (Update, "sys/revoke-prefix/db", json!({})),
        (Update, "sys/leases/revoke-force/db", json!({})),
        (Update, "sys/revoke-force/db", json!({})),
        (List, "auth/token/accessors/", json!({})),
    ];
    for (operation, path, body) in cases {
        assert_eq!(refused(world.ask(&token, operation, path, body).await), Denied, "{operation:?} {path}");
    }
    // The tables themselves do not.
    for (operation, path) in [(Read, "sys/auth"), (List, "sys/auth/"), (Read, "sys/mounts"), (Read, "sys/leases/count")]
    {
        world.ask(&token, operation, path, json!({})).await.unwrap();
    }
}

#[tokio::test]
async fn only_sudo_opens_the_network_to_a_compartment() {
    let world = World::new().await;
    let token =
        world.limited("mounter", r#"path "sys/mounts/*" { capabilities = ["create", "update", "read"] }"#).await;
    let body = json!({ "type": "kv", "config": { "egress": "169.254.169.254:80" } });
    assert_eq!(refused(world.ask(&token, Update, "sys/mounts/one", body.clone()).await), Invalid);
    world.ask(&token, Update, "sys/mounts/one", json!({ "type": "kv" })).await.unwrap();
    let tune = json!({ "egress": "169.254.169.254:80" });
    assert_eq!(refused(world.ask(&token, Update, "sys/mounts/one/tune", tune.clone()).await), Invalid);
    assert_eq!(world.root(Read, "sys/mounts/one/tune", Value::Null).await["egress"], Value::Null);
    world.root(Update, "sys/mounts/two", body).await;
    world.root(Update, "sys/mounts/one/tune", tune).await;
    let sudo = r#"path "sys/mounts/*" { capabilities = ["create", "update", "read", "sudo"] }"#;
    let sudo = world.limited("grantor", sudo).await;
    let body = json!({ "type": "kv", "config": { "egress": ["a.corp:1"] } });
    world.ask(&sudo, Update, "sys/mounts/three", body).await.unwrap();
}

#[tokio::test]
async fn paths_are_taken_as_they_are() {
    let world = World::new().await;
    world.mounted().await;
    world.root(Update, "kv/data/secret", json!({ "x": 1 })).await;
    let policy = r#"path "kv/*" { capabilities = ["create", "read", "update", "list"] }
path "kv/data/secret" { capabilities = ["deny"] }"#;
    let token = world.limited("most", policy).await;
    for path in [
        "kv/data/secret",
        "kv/data//secret",
        "kv//data/secret",
        "kv/data/./secret",
        "kv/x/../data/secret",
        "/kv/data/secret",
    ] {
        let answer = world.ask(&token, Read, path, Value::Null).await;
        assert!(answer.is_err() || answer.is_ok_and(|r| r.is_empty()), "{path}");
    }
}

#[tokio::test]
async fn wrapping_is_refused_not_ignored() {
    let world = World::new().await;
    world.mounted().await;
    let ask = async |token: &str, path: &str| {
        let mut request = Request::new(Read, path);
        request.token = Some(SecretText::new(token));
        request.wrap_ttl = Some(60);
        world.core.handle(request).await
    };
    assert_eq!(refused(ask(&world.root, "db/creds/app").await), Invalid);
    assert_eq!(refused(ask(&world.root, "auth/token/lookup-self").await), Invalid);
    assert!(world.model.with("db.corp:5432", |s| s.users.is_empty()), "nothing was made");
    let nobody = world.token(json!({ "policies": ["default"] })).await;
    assert_eq!(refused(ask(&nobody, "db/creds/app").await), Denied);
}

#[tokio::test]
async fn help_is_for_every_token_and_for_no_other() {
    let world = World::new().await;
    world.mounted().await;
    let nobody = world.token(json!({ "policies": ["default"] })).await;
    for (path, says) in [
        ("kv", "Keys and values."),
        ("kv/count/a", "About count/{name}."),
        ("sys/mounts", "Lists the secrets engines."),
        ("auth/token/create", "Makes a child"),
    ] {
        let help = data(&world.ask(&nobody, Help, path, Value::Null).await.unwrap());
        assert!(help["help"].as_str().unwrap().contains(says), "{path}: {help}");
        for bad in ["", "hvs.wrong"] {
            assert_eq!(refused(world.ask(bad, Help, path, Value::Null).await), Denied, "{path}");
        }
    }
    assert_eq!(refused(world.ask(&nobody, Help, "kv/none", Value::Null).await), UnsupportedPath);
}

#[tokio::test]
async fn mounts_show_to_those_who_can_touch_them() {
    let world = World::new().await;
    world.mounted().await;
    let seen = async |token: &str| {
        let shown = data(&world.ask(token, Read, "sys/internal/ui/mounts", Value::Null).await.unwrap());
        let names: Vec<String> = shown["secret"].as_object().unwrap().keys().cloned().collect();
        names
    };
    assert!(seen("").await.is_empty());
    assert!(seen("hvs.wrong").await.is_empty());
    let reader = world.limited("reader", r#"path "kv/data/a" { capabilities = ["read"] }"#).await;
    assert!(seen(&reader).await.contains(&"kv/".to_owned()));
    assert!(!seen(&reader).await.contains(&"db/".to_owned()));
    for (token, path, kind) in
        [("", "kv", Denied), (reader.as_str(), "db/creds/app", Denied), (&reader, "nowhere", Denied)]
    {
        let path = format!("sys/internal/ui/mounts/{path}");
        assert_eq!(refused(world.ask(token, Read, &path, Value::Null).await), kind, "{path}");
    }
    world.root(Update, "sys/mounts/kv/tune", json!({ "listing_visibility": "unauth" })).await;
    assert_eq!(seen("").await, ["kv/"]);
}

#[tokio::test]
async fn a_mount_takes_only_a_clean_path_of_its_own() {
    let world = World::new().await;
    world.mounted().await;
    for path in ["sys/x", "cubbyhole/x", "identity/x", "auth/x", "kv", "kv/below", "a//b", "a/../b", ".", " a", "sys"] {
        let answer = world.ask(&world.root, Update, &format!("sys/mounts/{path}"), json!({ "type": "kv" })).await;
        assert_eq!(answer.map_err(|e| e.kind).unwrap_err(), Invalid, "{path}");
    }
    for kind in ["system", "token", "cubbyhole", "identity", "nothing"] {
        assert_eq!(refused(world.ask(&world.root, Update, "sys/mounts/m", json!({ "type": kind })).await), Invalid);
    }
    for path in ["sys", "cubbyhole", "identity", "auth/token"] {
        assert!(world.ask(&world.root, Delete, &format!("sys/mounts/{path}"), Value::Null).await.is_err(), "{path}");
        let body = json!({ "from": path, "to": "elsewhere" });
        assert_eq!(refused(world.ask(&world.root, Update, "sys/remount", body).await), Invalid, "{path}");
    }
}
