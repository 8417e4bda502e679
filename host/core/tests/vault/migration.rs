//! From one stored format to the next, with traffic.

use cofferdam_model::ErrorKind::{Invalid, Unavailable};
use serde_json::{Value, json};

use crate::world::{Read, Update, World, refused};

const TUNE: &str = "sys/mounts/kv/tune";

fn second() -> Value {
    json!({ "options": { "version": "2" } })
}

async fn with_entries() -> World {
    let world = World::new().await;
    world.mounted().await;
    for n in 0..5 {
        world.root(Update, &format!("kv/data/e{n}"), json!({ "n": n })).await;
    }
    world
}

#[tokio::test]
async fn entries_come_along() {
    let mut world = with_entries().await;
    world.root(Update, TUNE, second()).await;
    for _ in 0..2 {
        for n in 0..5 {
            assert_eq!(world.root(Read, &format!("kv/data/e{n}"), Value::Null).await, json!({ "n": n }));
        }
        assert_eq!(world.root(Read, TUNE, Value::Null).await["options"]["version"], json!("2"));
        world.restart().await;
    }
    let back = json!({ "options": { "version": "1" } });
    assert_eq!(refused(world.ask(&world.root, Update, TUNE, back).await), Invalid);
    // Only this engine has versions.
    assert_eq!(refused(world.ask(&world.root, Update, "sys/mounts/db/tune", second()).await), Invalid);
}

#[tokio::test]
async fn a_write_during_the_migration_is_not_lost() {
    let world = with_entries().await;
    let hold = world.model.hold("kv migrate");
    let migrating = world.spawn(&world.root, Update, TUNE, second());
    hold.reached().await;
    world.root(Update, "kv/data/e0", json!({ "n": "newer" })).await;
    hold.go();
    // It saw something older than what is there now: it says so and changes nothing.
    assert_eq!(refused(migrating.await.unwrap()), Unavailable);
    assert_eq!(world.root(Read, "kv/data/e0", Value::Null).await, json!({ "n": "newer" }));
    world.root(Update, TUNE, second()).await;
    assert_eq!(world.root(Read, "kv/data/e0", Value::Null).await, json!({ "n": "newer" }));
}

#[tokio::test]
async fn a_write_of_the_old_format_does_not_come_after_the_migration() {
    let world = with_entries().await;
    let hold = world.model.hold("kv read");
    let writing = world.spawn(&world.root, Update, "kv/data/new", json!({ "x": 1 }));
    hold.reached().await;
    world.root(Update, TUNE, second()).await;
    hold.go();
    assert_eq!(refused(writing.await.unwrap()), Unavailable);
    world.root(Update, "kv/data/new", json!({ "x": 2 })).await;
    assert_eq!(world.root(Read, "kv/data/new", Value::Null).await, json!({ "x": 2 }));
}

#[tokio::test]
async fn what_was_tuned_or_moved_meanwhile_stays_so() {
    let mut world = with_entries().await;
    let hold = world.model.hold("kv migrate");
    let migrating = world.spawn(&world.root, Update, TUNE, second());
    hold.reached().await;
    world.root(Update, TUNE, json!({ "max_lease_ttl": 77, "description": "tuned" })).await;
    world.root(Update, "sys/remount", json!({ "from": "kv", "to": "elsewhere" })).await;
    hold.go();
    migrating.await.unwrap().unwrap();
    for _ in 0..2 {
        let shown = world.root(Read, "sys/mounts/elsewhere/tune", Value::Null).await;
        assert_eq!((&shown["max_lease_ttl"], &shown["description"]), (&json!(77), &json!("tuned")));
        assert_eq!(shown["options"]["version"], json!("2"));
        assert_eq!(world.root(Read, "elsewhere/data/e1", Value::Null).await, json!({ "n": 1 }));
        world.restart().await;
    }
}

#[tokio::test]
async fn of_two_migrations_one_wins() {
    let world = with_entries().await;
    let hold = world.model.hold("kv migrate");
    let slow = world.spawn(&world.root, Update, TUNE, second());
    hold.reached().await;
    world.root(Update, TUNE, second()).await;
    hold.go();
    assert_eq!(refused(slow.await.unwrap()), Unavailable);
    assert_eq!(world.root(Read, "kv/data/e3", Value::Null).await, json!({ "n": 3 }));
}
