//! Damaged records: each costs what it stands for, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cofferdam_model::ErrorKind;
use cofferdam_storage::port::{Batch, Op, Physical as _};
use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Read, Update, World, data, refused, text, until};

const HOME: &str = "db.corp:5432";
const DAY: i64 = 86_400;
/// What is kept for mounts beside their own spaces.
const KEPT_FOR_MOUNTS: [&str; 4] = ["host/kept", "host/pools", "host/rotations", "host/stock"];

impl World {
    async fn put_raw(&self, space: &str, key: &str, value: Vec<u8>) {
        let put = Op::PutEntry { space: space.to_owned(), key: key.to_owned(), value };
        self.store.apply(Batch { checks: Vec::new(), ops: vec![put] }).await.unwrap();
    }

    /// Damages a record; answers what it was.
    async fn damage(&self, space: &str, key: &str) -> Vec<u8> {
        let whole = self.store.entry(space, key).await.unwrap().unwrap().value;
        self.put_raw(space, key, b"damaged".to_vec()).await;
        whole
    }

    async fn uuid(&self, path: &str) -> String {
        text(&self.root(Read, "sys/mounts", Value::Null).await[path], "uuid")
    }

    async fn keys_of(&self, space: &str) -> Vec<String> {
        self.store.entries(space, "", None, 100).await.unwrap().into_iter().map(|entry| entry.key).collect()
    }

    /// An account that is kept in rotation, with its key.
    async fn keep(&self, name: &str) -> String {
        let slot = format!("kept/{name}");
        self.model.with(HOME, |s| s.keys.insert(slot, BTreeSet::new()));
        self.root(Update, &format!("db/kept/{name}"), json!({ "every": DAY.to_string() })).await;
        self.key(name).await
    }

    async fn key(&self, name: &str) -> String {
        text(&self.root(Read, &format!("db/kept/{name}"), Value::Null).await, "key")
    }
}

#[tokio::test]
async fn a_mount_whose_record_is_damaged_is_not_served_and_loses_nothing() {
    let mut world = World::new().await;
    world.mounted().await;
    world.root(Update, "kv/data/a", json!({ "v": "1" })).await;
    let (lease, user) = world.credential().await;
    let key = world.keep("app").await;
    world.root(Update, "sys/pool/db/creds/app", json!({ "size": 1 })).await;
    until("a stock", || async { world.keys_of("host/stock").await.len() == 1 }).await;
    world.model.script("issuer apply", Act::Fault, usize::MAX);
    assert!(world.ask(&world.root, Update, "db/rotate-root/main", json!({})).await.is_err());
    let mut before = BTreeMap::new();
    for space in KEPT_FOR_MOUNTS {
        before.insert(space, world.keys_of(space).await);
        assert!(!before[space].is_empty(), "{space}");
    }
    let users = world.model.with(HOME, |s| s.users.clone());

    let uuid = world.uuid("db/").await;
    let whole = world.damage("host/mounts", &uuid).await;
    world.restart().await;
    assert_eq!(world.root(Read, "kv/data/a", Value::Null).await["v"], "1", "the others are served");
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/app", Value::Null).await), ErrorKind::UnsupportedPath);
    let mounts = world.ask(&world.root, Read, "sys/mounts", Value::Null).await.unwrap();
    assert!(mounts.warnings.concat().contains(&uuid), "{:?}", mounts.warnings);
    let renewal = world.ask(&world.root, Update, "sys/leases/renew", json!({ "lease_id": lease })).await;
    assert_eq!(refused(renewal), ErrorKind::Unavailable);
    // All that works by itself has its turn.
    world.clock.advance_seconds(2 * DAY);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut lost = Vec::new();
    for space in KEPT_FOR_MOUNTS {
        let left = world.keys_of(space).await;
        lost.extend(before[space].iter().filter(|key| !left.contains(key)).map(|key| format!("{space}: {key}")));
    }
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(world.model.with(HOME, |s| s.users.clone()), users, "nobody can be asked, and nothing is forgotten");

    world.model.script("issuer apply", Act::Fault, 0);
    world.put_raw("host/mounts", &uuid, whole).await;
    world.restart().await;
    until("the lease ends", || async { !world.model.with(HOME, |s| s.users.contains(&user)) }).await;
    until("the rotations go on", || async {
        world.keys_of("host/rotations").await.is_empty() && world.key("app").await != key
    })
    .await;
    let mounts = world.ask(&world.root, Read, "sys/mounts", Value::Null).await.unwrap();
    assert!(mounts.warnings.is_empty() && data(&mounts)["db/"].is_object());
}

#[tokio::test]
async fn a_mount_whose_path_was_given_away_meanwhile_waits_for_it() {
    let mut world = World::new().await;
    world.mounted().await;
    world.root(Update, "kv/data/a", json!({ "v": "old" })).await;
    let old = world.uuid("kv/").await;
    let whole = world.damage("host/mounts", &old).await;
    world.restart().await;
    world.root(Update, "sys/mounts/kv", json!({ "type": "kv" })).await;
    world.root(Update, "kv/data/a", json!({ "v": "new" })).await;
    let new = world.uuid("kv/").await;
    world.put_raw("host/mounts", &old, whole).await;
    world.restart().await;
    // Which of the two is served does not matter; the other one is told of, and neither is lost.
    let served = world.uuid("kv/").await;
    let (other, value) = if served == old { (new, "new") } else { (old, "old") };
    let mounts = world.ask(&world.root, Read, "sys/mounts", Value::Null).await.unwrap();
    assert!(mounts.warnings.concat().contains(&other), "{:?}", mounts.warnings);
    world.root(Update, "sys/remount", json!({ "from": "kv", "to": "moved" })).await;
    world.restart().await;
    assert_eq!(world.uuid("kv/").await, other);
    assert_eq!(world.root(Read, "kv/data/a", Value::Null).await["v"], value);
    assert_eq!(world.uuid("moved/").await, served);
}

#[tokio::test]
async fn without_one_of_its_own_mounts_the_server_stays_sealed() {
    for path in ["sys/", "cubbyhole/", "identity/"] {
        let world = World::new().await;
        let uuid = world.uuid(path).await;
        world.damage("host/mounts", &uuid).await;
        world.root(Update, "sys/seal", json!({})).await;
        let unsealed = world.ask("", Update, "sys/unseal", json!({ "key": world.keys[0] })).await;
        let error = unsealed.expect_err("it must stay sealed");
        assert!(error.to_string().contains(&format!("the record of {path} is damaged")), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_record_of_a_kept_credential_or_a_pool_holds_up_no_other() {
    let mut world = World::new().await;
    world.mounted().await;
    world.root(Update, "db/roles/other", json!({ "db": "main" })).await;
    world.keep("app").await;
    let damaged = world.keys_of("host/kept").await;
    let key = world.keep("other").await;
    for path in ["app", "other"] {
        world.root(Update, &format!("sys/pool/db/creds/{path}"), json!({ "size": 1 })).await;
    }
    until("a stock", || async { world.keys_of("host/stock").await.len() == 2 }).await;
    world.damage("host/kept", &damaged[0]).await;
    for space in ["host/pools", "host/stock"] {
        let first = world.keys_of(space).await.swap_remove(0);
        world.damage(space, &first).await;
    }
    world.restart().await;
    world.clock.advance_seconds(DAY + 1);
    until("the other one to be rotated", || async { world.key("other").await != key }).await;
    until("the other pool to be filled", || async {
        let shown = world.ask(&world.root, Read, "sys/pool/db/creds/other", Value::Null).await;
        shown.is_ok_and(|shown| data(&shown)["stocked"] == 1)
    })
    .await;
}
