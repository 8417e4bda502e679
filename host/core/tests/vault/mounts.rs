//! Removing and moving mounts.

use cofferdam_model::ErrorKind::{Invalid, Unavailable, UnsupportedPath};
use cofferdam_model::engine::Cause;
use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Delete, List, Read, Update, World, refused, text, until};

const ADDRESS: &str = "db.corp:5432";

#[tokio::test]
async fn a_removed_mount_takes_its_credentials_back() {
    let world = World::new().await;
    let gates = || world.store.gates.lock().unwrap().clone();
    let before = gates();
    world.mounted().await;
    world.root(Delete, "sys/mounts/kv", Value::Null).await;
    world.root(Update, "db/config/main", json!({ "url": "db.corp:5432/other" })).await;
    world.credential().await;
    let answer = world.ask(&world.root, Delete, "sys/mounts/db", Value::Null).await.unwrap();
    assert!(answer.is_empty());
    assert!(world.model.with(ADDRESS, |s| s.users.is_empty()));
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/app", Value::Null).await), UnsupportedPath);
    assert_eq!(gates(), before, "nothing is left behind");
}

#[tokio::test]
async fn a_backend_that_refuses_keeps_its_mount_draining() {
    let mut world = World::new().await;
    world.mounted().await;
    let (_, user) = world.credential().await;
    world.model.script("issuer revoke", Act::Fail(Cause::Refused), usize::MAX);
    let answer = world.ask(&world.root, Delete, "sys/mounts/db", Value::Null).await.unwrap();
    assert_eq!(answer.warnings.len(), 1, "{:?}", answer.warnings);
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/app", Value::Null).await), UnsupportedPath);
    assert!(!world.root(List, "sys/mounts/", Value::Null).await.as_object().unwrap().contains_key("db/"));

    // The path is free; what comes there next is not what was.
    world.root(Update, "sys/mounts/db", json!({ "type": "kv" })).await;
    world.root(Update, "db/data/a", json!({ "x": 1 })).await;
    world.restart().await;
    assert!(world.model.with(ADDRESS, |s| s.users.contains(&user)));

    // The backend comes round: the old mount goes, and takes nothing of the new one along.
    world.model.clear("issuer revoke");
    world.restart().await;
    until("the user goes", || async { world.model.with(ADDRESS, |s| s.users.is_empty()) }).await;
    until("the old mount goes", || async {
        world.root(Read, "sys/leases/count", json!({ "type": "irrevocable" })).await["lease_count"] == json!(0)
    })
    .await;
    for _ in 0..2 {
        assert_eq!(world.root(Read, "db/data/a", Value::Null).await, json!({ "x": 1 }));
        world.restart().await;
    }
}

#[tokio::test]
async fn the_end_of_an_old_mount_leaves_the_new_one_at_its_path() {
    let world = World::new().await;
    world.mounted().await;
    world.credential().await;
    // The removal waits in the backend.
    let hold = world.model.hold("issuer revoke");
    let removing = world.spawn(&world.root, Delete, "sys/mounts/db", Value::Null);
    hold.reached().await;
    world.root(Update, "sys/mounts/db", json!({ "type": "kv" })).await;
    world.root(Update, "db/data/a", json!({ "x": 1 })).await;
    hold.go();
    removing.await.unwrap().unwrap();
    assert_eq!(world.root(Read, "db/data/a", Value::Null).await, json!({ "x": 1 }));
}

#[tokio::test]
async fn a_create_under_way_does_not_survive_its_mount() {
    let world = World::new().await;
    world.mounted().await;
    let hold = world.model.hold("issuer created");
    let asking = world.spawn(&world.root, Read, "db/creds/app", Value::Null);
    hold.reached().await;
    let removing = world.spawn(&world.root, Delete, "sys/mounts/db", Value::Null);
    until("the mount stops serving", || async {
        world.ask(&world.root, Read, "db/roles/app", Value::Null).await.is_err()
    })
    .await;
    hold.go();
    assert_eq!(refused(asking.await.unwrap()), Unavailable);
    removing.await.unwrap().unwrap();
    until("the user goes", || async { world.model.with(ADDRESS, |s| s.users.is_empty()) }).await;
}

#[tokio::test]
async fn a_write_under_way_is_refused_once_its_mount_goes() {
    let world = World::new().await;
    world.mounted().await;
    let hold = world.model.hold("kv read");
    let writing = world.spawn(&world.root, Update, "kv/data/a", json!({ "x": 1 }));
    hold.reached().await;
    world.root(Delete, "sys/mounts/kv", Value::Null).await;
    hold.go();
    assert_eq!(refused(writing.await.unwrap()), Unavailable);
}

#[tokio::test]
async fn a_moved_mount_keeps_its_entries_and_loses_its_leases() {
    let mut world = World::new().await;
    world.mounted().await;
    world.credential().await;
    world.root(Update, "sys/remount", json!({ "from": "db", "to": "moved/db" })).await;
    assert!(world.model.with(ADDRESS, |s| s.users.is_empty()));
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/app", Value::Null).await), UnsupportedPath);
    let made = world.ask(&world.root, Read, "moved/db/creds/app", Value::Null).await.unwrap();
    assert!(made.lease.id.starts_with("moved/db/creds/app/"));
    for to in ["kv", "kv/x", "moved/db/x", "sys/x", "auth/x"] {
        let body = json!({ "from": "moved/db", "to": to });
        assert_eq!(refused(world.ask(&world.root, Update, "sys/remount", body).await), Invalid, "{to}");
    }
    world.restart().await;
    let config = world.root(Read, "moved/db/config/main", Value::Null).await;
    assert_eq!(text(&config, "url"), "db.corp:5432/app");
}
