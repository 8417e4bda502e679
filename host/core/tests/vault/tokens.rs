//! Tokens: trees, orphans, uses, ends.

use cofferdam_model::ErrorKind;
use serde_json::{Value, json};

use crate::world::{Delete, List, Read, Update, World, data, refused, until};

const MAKER: &str = r#"path "auth/token/*" { capabilities = ["create", "update", "read"] }
path "kv/*" { capabilities = ["read", "update", "create"] }
path "db/*" { capabilities = ["read"] }"#;

#[tokio::test]
async fn a_tree_falls_with_its_root_and_orphans_stand() {
    let world = World::new().await;
    let parent = world.limited("maker", MAKER).await;
    let child = world.child(&parent, json!({})).await.unwrap();
    let grandchild = world.child(&child, json!({})).await.unwrap();
    let orphan = world.ask(&child, Update, "auth/token/create-orphan", json!({})).await.unwrap();
    let orphan = orphan.auth.unwrap().client_token.expose().to_owned();
    world.ask(&child, Update, "cubbyhole/mine", json!({ "a": 1 })).await.unwrap();

    world.root(Update, "auth/token/revoke", json!({ "token": parent })).await;
    for dead in [&parent, &child, &grandchild] {
        assert!(!world.is_valid(dead).await);
    }
    assert!(world.is_valid(&orphan).await);
    assert_eq!(refused(world.ask(&child, Read, "cubbyhole/mine", Value::Null).await), ErrorKind::Denied);
}

#[tokio::test]
async fn a_chain_of_thousands_can_be_revoked() {
    const LENGTH: usize = 3_000;
    let world = World::new().await;
    let first = world.limited("maker", MAKER).await;
    let mut last = first.clone();
    for _ in 0..LENGTH {
        last = world.child(&last, json!({})).await.unwrap();
    }
    world.root(Update, "auth/token/revoke", json!({ "token": first })).await;
    assert!(!world.is_valid(&last).await);
    let left = world.root(List, "auth/token/accessors/", Value::Null).await;
    assert_eq!(left["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn revoke_orphan_needs_sudo_and_spares_the_children() {
    let world = World::new().await;
    let parent = world.limited("maker", MAKER).await;
    let child = world.child(&parent, json!({})).await.unwrap();
    let body = json!({ "token": parent });
    assert_eq!(refused(world.ask(&child, Update, "auth/token/revoke-orphan", body.clone()).await), ErrorKind::Invalid);
    world.root(Update, "auth/token/revoke-orphan", body).await;
    assert!(!world.is_valid(&parent).await);
    let shown = data(&world.ask(&child, Read, "auth/token/lookup-self", Value::Null).await.unwrap());
    assert_eq!(shown["orphan"], json!(true));
}

#[tokio::test]
async fn uses_count_denied_requests_too() {
    let world = World::new().await;
    world.mounted().await;
    let token = world.token(json!({ "policies": ["default"], "num_uses": 3 })).await;
    assert_eq!(refused(world.ask(&token, Read, "kv/data/a", Value::Null).await), ErrorKind::Denied);
    let shown = data(&world.ask(&token, Read, "auth/token/lookup-self", Value::Null).await.unwrap());
    assert_eq!(shown["num_uses"], json!(1));
    assert!(world.is_valid(&token).await);
    assert!(!world.is_valid(&token).await);
}

#[tokio::test]
async fn a_token_with_uses_has_no_children_and_no_lease_of_its_last_use() {
    let world = World::new().await;
    world.mounted().await;
    world.limited("maker", MAKER).await;
    let token = world.token(json!({ "policies": ["maker"], "num_uses": 3 })).await;
    assert_eq!(world.child(&token, json!({})).await.unwrap_err().kind, ErrorKind::Invalid);
    world.ask(&token, Read, "db/creds/app", Value::Null).await.unwrap();
    assert_eq!(refused(world.ask(&token, Read, "db/creds/app", Value::Null).await), ErrorKind::Invalid);
    // With the token its first credential goes.
    until("the user goes", || async { world.model.with("db.corp:5432", |s| s.users.is_empty()) }).await;
}

#[tokio::test]
async fn the_last_use_ends_a_token_also_when_two_come_at_once() {
    let world = World::new().await;
    world.mounted().await;
    world.limited("maker", MAKER).await;
    let token = world.token(json!({ "policies": ["maker"], "num_uses": 3 })).await;
    world.ask(&token, Read, "db/creds/app", Value::Null).await.unwrap();
    // Two uses are left, and both requests see two.
    let hold = world.hold_token();
    let slow = world.spawn(&token, Read, "kv/data/a", Value::Null);
    hold.reached().await;
    world.ask(&token, Read, "kv/data/a", Value::Null).await.unwrap();
    hold.go();
    slow.await.unwrap().unwrap();
    until("the user goes", || async { world.model.with("db.corp:5432", |s| s.users.is_empty()) }).await;
}

#[tokio::test]
async fn ends_are_clamped_and_renewals_bounded() {
    let world = World::new().await;
    let ttl = async |token: &str| {
        data(&world.ask(token, Read, "auth/token/lookup-self", Value::Null).await.unwrap())["ttl"].as_i64().unwrap()
    };
    let renew = async |token: &str, increment: u64| {
        world.ask(token, Update, "auth/token/renew-self", json!({ "increment": increment })).await
    };
    let year = world.token(json!({ "policies": ["default"], "ttl": "8760h" })).await;
    assert_eq!(ttl(&year).await, 768 * 3_600);

    let bounded = world.token(json!({ "policies": ["default"], "ttl": 100, "explicit_max_ttl": 150 })).await;
    world.clock.advance_seconds(90);
    renew(&bounded, 100).await.unwrap();
    assert_eq!(ttl(&bounded).await, 60);
    world.clock.advance_seconds(61);
    assert!(!world.is_valid(&bounded).await);

    let periodic = world.token(json!({ "policies": ["default"], "period": 100 })).await;
    for _ in 0..5 {
        world.clock.advance_seconds(90);
        renew(&periodic, 100_000).await.unwrap();
        assert_eq!(ttl(&periodic).await, 100);
    }
    let capped = world.token(json!({ "policies": ["default"], "period": 100, "explicit_max_ttl": 120 })).await;
    world.clock.advance_seconds(90);
    renew(&capped, 0).await.unwrap();
    assert_eq!(ttl(&capped).await, 30);
    let stiff = world.token(json!({ "policies": ["default"], "ttl": 100, "renewable": false })).await;
    assert_eq!(refused(renew(&stiff, 10).await), ErrorKind::Invalid);
    assert_eq!(refused(renew(&world.root, 10).await), ErrorKind::Invalid);
}

#[tokio::test]
async fn what_needs_sudo_is_refused_without() {
    let world = World::new().await;
    let maker = world.limited("maker", MAKER).await;
    for body in [
        json!({ "id": "chosen" }),
        json!({ "no_parent": true }),
        json!({ "period": 60 }),
        json!({ "policies": ["root"] }),
        json!({ "policies": ["another"] }),
        json!({ "policies": ["ROOT "] }),
        json!({ "policies": ["response-wrapping"] }),
        json!({ "num_uses": -1 }),
        json!({ "ttl": -1 }),
        json!({ "type": "batch" }),
    ] {
        assert_eq!(world.child(&maker, body.clone()).await.unwrap_err().kind, ErrorKind::Invalid, "{body}");
    }
    let sudo = world.limited("sudo", r#"path "auth/token/create" { capabilities = ["update", "sudo"] }"#).await;
    let made = world.child(&sudo, json!({ "id": "chosen", "policies": ["another"], "no_parent": true })).await.unwrap();
    assert_eq!(made, "chosen");
    // Sudo is not root.
    assert_eq!(world.child(&sudo, json!({ "policies": ["root"] })).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(world.child(&sudo, json!({ "id": "chosen" })).await.unwrap_err().kind, ErrorKind::Invalid);
    // A root token that ends makes none that does not.
    let ending = world.token(json!({ "ttl": 60 })).await;
    assert_eq!(world.child(&ending, json!({})).await.unwrap_err().kind, ErrorKind::Invalid);
}

#[tokio::test]
async fn an_expired_token_takes_its_credentials_along() {
    let world = World::new().await;
    world.mounted().await;
    world.limited("maker", MAKER).await;
    let token = world.token(json!({ "policies": ["maker"], "ttl": 30 })).await;
    world.ask(&token, Read, "db/creds/app", Value::Null).await.unwrap();
    world.clock.advance_seconds(31);
    assert_eq!(refused(world.ask(&token, Read, "kv/data/a", Value::Null).await), ErrorKind::Denied);
    until("the user goes", || async { world.model.with("db.corp:5432", |s| s.users.is_empty()) }).await;
}

#[tokio::test]
async fn a_cubbyhole_is_its_tokens_own() {
    let world = World::new().await;
    let one = world.token(json!({ "policies": ["default"] })).await;
    let other = world.token(json!({ "policies": ["default"] })).await;
    world.ask(&one, Update, "cubbyhole/a/b", json!({ "k": "v" })).await.unwrap();
    for token in [&other, &world.root] {
        assert!(world.ask(token, Read, "cubbyhole/a/b", Value::Null).await.unwrap().is_empty());
        assert!(world.ask(token, List, "cubbyhole/", Value::Null).await.unwrap().is_empty());
        world.ask(token, Delete, "cubbyhole/a/b", Value::Null).await.unwrap();
    }
    let found = data(&world.ask(&one, Read, "cubbyhole/a/b", Value::Null).await.unwrap());
    assert_eq!(found, json!({ "k": "v" }));
}
