//! Policies hold as soon as they are written.

use cofferdam_model::ErrorKind::{Denied, Invalid};
use serde_json::{Value, json};

use crate::world::{Delete, Read, Update, World, refused};

#[tokio::test]
async fn a_change_holds_for_the_next_request() {
    let world = World::new().await;
    world.mounted().await;
    let token = world.limited("p", r#"path "kv/data/*" { capabilities = ["read"] }"#).await;
    world.ask(&token, Read, "kv/data/a", Value::Null).await.unwrap();
    let deny = json!({ "policy": r#"path "kv/data/*" { capabilities = ["deny"] }"# });
    world.root(Update, "sys/policies/acl/p", deny).await;
    assert_eq!(refused(world.ask(&token, Read, "kv/data/a", Value::Null).await), Denied);
    let grant = json!({ "policy": r#"path "kv/data/*" { capabilities = ["read"] }"# });
    world.root(Update, "sys/policies/acl/P", grant).await;
    world.ask(&token, Read, "kv/data/a", Value::Null).await.unwrap();
    world.root(Delete, "sys/policies/acl/p", Value::Null).await;
    assert_eq!(refused(world.ask(&token, Read, "kv/data/a", Value::Null).await), Denied);
}

#[tokio::test]
async fn a_slow_reader_does_not_bring_an_old_policy_back() {
    let world = World::new().await;
    world.mounted().await;
    let token = world.limited("p", r#"path "kv/data/*" { capabilities = ["read"] }"#).await;
    // The first request with this policy has read its text, and not kept it yet.
    let hold = world.hold_entry("p");
    let slow = world.spawn(&token, Read, "kv/data/a", Value::Null);
    hold.reached().await;
    let deny = json!({ "policy": r#"path "kv/data/*" { capabilities = ["deny"] }"# });
    world.root(Update, "sys/policies/acl/p", deny).await;
    hold.go();
    slow.await.unwrap().unwrap();
    assert_eq!(refused(world.ask(&token, Read, "kv/data/a", Value::Null).await), Denied);
}

#[tokio::test]
async fn the_servers_own_policies_stay() {
    let world = World::new().await;
    for name in ["root", "response-wrapping", "ROOT"] {
        let path = format!("sys/policies/acl/{name}");
        let body = json!({ "policy": r#"path "*" { capabilities = ["read"] }"# });
        assert_eq!(refused(world.ask(&world.root, Update, &path, body).await), Invalid, "{name}");
        assert_eq!(refused(world.ask(&world.root, Delete, &path, Value::Null).await), Invalid, "{name}");
    }
    assert_eq!(refused(world.ask(&world.root, Delete, "sys/policies/acl/default", Value::Null).await), Invalid);
    let broken = json!({ "policy": r#"path "x" { capabilities = ["fly"] }"# });
    assert_eq!(refused(world.ask(&world.root, Update, "sys/policies/acl/p", broken).await), Invalid);
}
