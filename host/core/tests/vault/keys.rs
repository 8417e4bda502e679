//! The barrier's key: rotation by hand, by itself, and over restarts.

use cofferdam_model::ErrorKind;
use cofferdam_storage::port::Physical as _;
use serde_json::{Value, json};

use crate::world::{Read, Update, World, refused, until};

async fn key(world: &World) -> (u64, u64) {
    let status = world.root(Read, "sys/key-status", Value::Null).await;
    (status["term"].as_u64().unwrap(), status["encryptions"].as_u64().unwrap())
}

#[tokio::test]
async fn a_rotated_key_reads_the_old_and_survives_restarts() {
    let mut world = World::new().await;
    world.mounted().await;
    world.root(Update, "kv/data/a", json!({ "x": 1 })).await;
    assert_eq!(key(&world).await.0, 1);
    world.root(Update, "sys/rotate", Value::Null).await;
    world.root(Update, "sys/rotate/keyring", Value::Null).await;
    assert_eq!(key(&world).await.0, 3);
    world.root(Update, "kv/data/b", json!({ "x": 2 })).await;
    let before = key(&world).await;
    world.restart().await;
    let after = key(&world).await;
    assert!(after.0 == 3 && (before.1..before.1 + 50).contains(&after.1), "{before:?}, {after:?}");
    assert_eq!(world.root(Read, "kv/data/a", Value::Null).await, json!({ "x": 1 }));
    assert_eq!(world.root(Read, "kv/data/b", Value::Null).await, json!({ "x": 2 }));
    world.credential().await;
}

#[tokio::test]
async fn a_rotation_that_the_store_does_not_take_changes_nothing() {
    let mut world = World::new().await;
    world.mounted().await;
    *world.store.fail_meta.lock().unwrap() = Some("keyring".to_owned());
    assert_eq!(refused(world.ask(&world.root, Update, "sys/rotate", Value::Null).await), ErrorKind::Unavailable);
    assert_eq!(key(&world).await.0, 1);
    world.root(Update, "kv/data/a", json!({ "x": 1 })).await;
    world.restart().await;
    world.root(Update, "sys/rotate", Value::Null).await;
    assert_eq!(world.root(Read, "kv/data/a", Value::Null).await, json!({ "x": 1 }));
}

#[tokio::test]
async fn a_key_whose_use_is_not_known_is_rotated_at_unseal() {
    let mut world = World::new().await;
    world.core.shutdown().await;
    world.store.set_meta(vec![("encryptions".to_owned(), b"1:0:00".to_vec())]).await.unwrap();
    world.restart().await;
    assert_eq!(key(&world).await.0, 2);
    world.restart().await;
    assert_eq!(key(&world).await.0, 2);
}

#[tokio::test]
async fn rotates_by_itself_when_the_key_is_old() {
    let world = World::new().await;
    let set = world.root(Read, "sys/rotate/config", Value::Null).await;
    assert_eq!(set, json!({ "enabled": true, "max_operations": 1 << 30, "interval": 0 }));
    for bad in
        [json!({ "max_operations": 1_000 }), json!({ "interval": "1h" }), json!({ "max_operations": 1_u64 << 32 })]
    {
        let asked = world.ask(&world.root, Update, "sys/rotate/config", bad.clone()).await;
        assert_eq!(refused(asked), ErrorKind::Invalid, "{bad}");
    }
    world.clock.advance_seconds(25 * 3_600);
    world.root(Update, "sys/rotate/config", json!({ "interval": "24h" })).await;
    until("the key is rotated", || async { key(&world).await.0 == 2 }).await;
}

#[tokio::test]
async fn rotating_needs_sudo() {
    let world = World::new().await;
    let token = world.limited("r", r#"path "sys/rotate" { capabilities = ["update"] }"#).await;
    assert_eq!(refused(world.ask(&token, Update, "sys/rotate", Value::Null).await), ErrorKind::Denied);
    assert_eq!(key(&world).await.0, 1);
}
