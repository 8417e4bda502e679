//! Engines that die, hang, read what changes, or cannot read what was written; and their neighbours.

use cofferdam_model::ErrorKind::{Backend, Internal};
use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Read, Update, World, refused, until};

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

#[tokio::test]
async fn a_lease_that_the_engine_cannot_read_waits_for_one_that_can() {
    let mut world = World::new().await;
    world.mounted().await;
    let (lease, user) = world.credential().await;
    let there = |world: &World| world.model.with("db.corp:5432", |s| s.users.contains(&user));
    let named = json!({ "lease_id": lease });
    world.model.upgrade(true);
    world.restart().await;
    let told = world.ask(&world.root, Update, "sys/leases/revoke", named.clone()).await.unwrap_err();
    assert_eq!(told.kind, Backend);
    assert!(told.to_string().contains("does not read format 1"), "{told}");
    assert!(there(&world), "an engine was asked about a handle that it cannot read");
    world.root(Update, "sys/leases/lookup", named.clone()).await;

    // Back again: nobody has to ask.
    world.model.upgrade(false);
    world.restart().await;
    world.clock.advance_seconds(3_600);
    until("the lease goes by itself", || async { !there(&world) }).await;
    until("its row goes too", || async {
        world.ask(&world.root, Update, "sys/leases/lookup", named.clone()).await.is_err()
    })
    .await;
}
