//! Engines that die, hang, or read what changes; and their neighbours.

use cofferdam_model::ErrorKind::{Backend, Internal};
use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Read, Update, World, refused};

#[tokio::test]
async fn a_neighbour_answers_while_one_hangs_or_dies() {
    let world = World::new().await;
    world.mounted().await;
    world.root(Update, "sys/mounts/other", json!({ "type": "kv" })).await;
    world.root(Update, "other/data/a", json!({ "x": 1 })).await;
    world.model.script("kv die", Act::Fault, 1);
    assert_eq!(refused(world.ask(&world.root, Read, "kv/die", Value::Null).await), Backend);
    let hold = world.model.hold("issuer create");
    let hung = world.spawn(&world.root, Read, "db/creds/app", Value::Null);
    hold.reached().await;
    assert_eq!(world.root(Read, "other/data/a", Value::Null).await, json!({ "x": 1 }));
    world.root(Update, "db/roles/another", json!({ "db": "main" })).await;
    hold.go();
    hung.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_changed_under_a_call_makes_it_run_anew() {
    let world = World::new().await;
    world.mounted().await;
    let hold = world.model.hold("kv read");
    let slow = world.spawn(&world.root, Update, "kv/count/a", json!({}));
    hold.reached().await;
    for _ in 0..3 {
        world.root(Update, "kv/count/a", json!({})).await;
    }
    hold.go();
    slow.await.unwrap().unwrap();
    assert_eq!(world.root(Update, "kv/count/a", json!({})).await, json!({ "n": 5 }));
}

#[tokio::test]
async fn many_at_once_lose_no_write() {
    let world = World::new().await;
    world.mounted().await;
    let mut applied = 0;
    let calls: Vec<_> = (0..24).map(|_| world.spawn(&world.root, Update, "kv/count/a", json!({}))).collect();
    for call in calls {
        // Some may give up after many runs, and say so.
        applied += u64::from(call.await.unwrap().is_ok());
    }
    assert!(applied > 0);
    assert_eq!(world.root(Read, "kv/data/a", Value::Null).await, json!({ "n": applied }));
}

#[tokio::test]
async fn a_slot_of_another_backend_cannot_be_put() {
    let world = World::new().await;
    world.mounted().await;
    assert_eq!(refused(world.ask(&world.root, Update, "db/foreign/main", json!({})).await), Internal);
    assert_eq!(refused(world.ask(&world.root, Update, "db/unnamed/main", json!({})).await), Internal);
    world.credential().await;
}
