//! Answers that are given again without a call.

use cofferdam_model::ErrorKind::{Backend, Denied};
use cofferdam_model::engine::Cause;
use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Read, Update, World, refused};

/// A kv whose engine can no longer be asked, after the answer for `kv/again/a` was heard once.
async fn heard() -> World {
    let world = World::new().await;
    world.mounted().await;
    world.root(Update, "kv/data/a", json!({ "x": 1 })).await;
    assert_eq!(ask(&world, "kv/again/a").await.unwrap()["entry"], json!({ "x": 1 }));
    silence(&world);
    world
}

fn silence(world: &World) {
    world.model.script("kv read", Act::Fail(Cause::Internal), usize::MAX);
}

async fn ask(world: &World, path: &str) -> Result<Value, cofferdam_model::Error> {
    let response = world.ask(&world.root, Read, path, Value::Null).await?;
    Ok(serde_json::from_str(response.data.unwrap().get()).unwrap())
}

async fn is_asked_anew(world: &World, path: &str) -> bool {
    match ask(world, path).await {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind, Backend);
            true
        }
    }
}

#[tokio::test]
async fn the_same_question_is_not_asked_twice() {
    let world = heard().await;
    for _ in 0..3 {
        assert_eq!(ask(&world, "kv/again/a").await.unwrap()["entry"], json!({ "x": 1 }));
    }
    assert!(is_asked_anew(&world, "kv/again/b").await, "another path");
    assert!(is_asked_anew(&world, "kv/data/a").await, "an engine that may have looked further");
    let fields = world.ask(&world.root, Read, "kv/again/a", json!({ "f": 1 })).await;
    assert_eq!(refused(fields), Backend, "other fields");
}

#[tokio::test]
async fn an_entry_that_changed_changes_the_answer() {
    let world = heard().await;
    world.model.clear("kv read");
    world.root(Update, "kv/data/a", json!({ "x": 2 })).await;
    assert_eq!(ask(&world, "kv/again/a").await.unwrap()["entry"], json!({ "x": 2 }));
    assert_eq!(ask(&world, "kv/again/new").await.unwrap()["entry"], Value::Null);
    world.root(Update, "kv/data/new", json!({ "y": 1 })).await;
    assert_eq!(ask(&world, "kv/again/new").await.unwrap()["entry"], json!({ "y": 1 }), "nothing was there before");
}

#[tokio::test]
async fn who_may_not_ask_is_not_told() {
    let world = heard().await;
    let stranger = world.limited("elsewhere", r#"path "kv/again/b" { capabilities = ["read"] }"#).await;
    assert_eq!(refused(world.ask(&stranger, Read, "kv/again/a", Value::Null).await), Denied);
}

#[tokio::test]
async fn a_change_of_the_mount_makes_all_questions_new() {
    let world = heard().await;
    world.root(Update, "sys/mounts/kv/tune", json!({ "default_lease_ttl": "9h" })).await;
    assert!(is_asked_anew(&world, "kv/again/a").await);
}

#[tokio::test]
async fn a_mount_can_be_kept_out() {
    let world = heard().await;
    world.model.clear("kv read");
    world.root(Update, "sys/mounts/cold", json!({ "type": "kv", "config": { "force_no_cache": true } })).await;
    ask(&world, "cold/again/a").await.unwrap();
    silence(&world);
    assert!(is_asked_anew(&world, "cold/again/a").await);
}

#[tokio::test]
async fn the_seal_forgets() {
    let mut world = heard().await;
    world.restart().await;
    assert!(is_asked_anew(&world, "kv/again/a").await);
}
