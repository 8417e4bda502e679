//! Credentials that are kept in rotation: by which clock, and what becomes of a key that nobody wants any more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Delete, Read, Update, World, text, until};

const HOME: &str = "db.corp:5432";
const KEPT: &str = "db/kept/app";
const OWN: &str = "the account's own";
const DAY: i64 = 86_400;

/// An account with a key of its own.
async fn world() -> World {
    let world = World::new().await;
    world.mounted().await;
    world.model.with(HOME, |s| s.keys.insert("kept/app".to_owned(), BTreeSet::from([OWN.to_owned()])));
    world
}

fn daily() -> Value {
    json!({ "every": DAY.to_string() })
}

/// What clients get.
async fn key(world: &World, path: &str) -> String {
    text(&world.root(Read, path, Value::Null).await, "key")
}

/// The account's keys, but for its own.
fn keys(world: &World) -> BTreeSet<String> {
    let mut all = world.model.with(HOME, |s| s.keys["kept/app"].clone());
    assert!(all.remove(OWN), "the account's own key is gone");
    all
}

/// In the end the account has these keys of ours.
async fn settled(world: &World, ours: &[String]) {
    let ours: BTreeSet<String> = ours.iter().cloned().collect();
    until("the account has its keys", || async { keys(world) == ours }).await;
}

#[tokio::test]
async fn a_clock_that_leaps_ahead_rotates_nothing() {
    let world = world().await;
    world.root(Update, KEPT, daily()).await;
    let first = key(&world, KEPT).await;
    let due = world.root(Read, KEPT, Value::Null).await["next_at"].as_i64().unwrap();
    assert_eq!(due, 1_800_000_000 + DAY);
    world.clock.leap_seconds(3 * DAY);
    // The keeper looks twice, and the first look is over by the second one.
    for _ in 0..2 {
        world.root(Update, "db/kept/other", json!({ "every": "60" })).await;
        let before = key(&world, "db/kept/other").await;
        world.clock.advance_seconds(60);
        world.root(Update, "db/kept/other", json!({ "every": "60" })).await;
        until("another one to be rotated", || async { key(&world, "db/kept/other").await != before }).await;
    }
    assert_eq!(key(&world, KEPT).await, first, "rotated by a wrong clock");
    let shown = world.root(Read, KEPT, Value::Null).await;
    assert_eq!(shown["next_at"], due + 3 * DAY, "told by the clock that engines see");
    // A day has gone by.
    world.clock.advance_seconds(DAY);
    world.root(Update, KEPT, daily()).await;
    until("the key is rotated", || async { key(&world, KEPT).await != first }).await;
}

#[tokio::test]
async fn a_key_that_is_being_made_goes_with_its_role() {
    for step in ["kept apply", "kept made", "kept prove", "issuer propose"] {
        let world = world().await;
        let hold = world.model.hold(step);
        let making = world.spawn(&world.root, Update, KEPT, daily());
        hold.reached().await;
        world.root(Delete, KEPT, Value::Null).await;
        hold.go();
        let _ = making.await.unwrap();
        settled(&world, &[]).await;
        // The next one of that name is another one.
        world.root(Update, KEPT, daily()).await;
        settled(&world, &[key(&world, KEPT).await]).await;
    }
}

#[tokio::test]
async fn a_key_whose_making_was_cut_off_goes_with_its_role() {
    for step in ["kept apply", "kept made", "kept prove"] {
        let world = world().await;
        let hold = world.model.hold(step);
        let making = world.spawn(&world.root, Update, KEPT, daily());
        hold.reached().await;
        making.abort();
        assert!(making.await.unwrap_err().is_cancelled());
        world.root(Delete, KEPT, Value::Null).await;
        assert_eq!(keys(&world), BTreeSet::new(), "{step}: the deletion waits for it");
    }
}

#[tokio::test]
async fn the_key_that_clients_have_stays_when_its_role_goes() {
    for step in ["kept apply", "kept made", "kept prove"] {
        let world = world().await;
        world.root(Update, KEPT, daily()).await;
        let first = key(&world, KEPT).await;
        let hold = world.model.hold(step);
        world.clock.advance_seconds(DAY);
        // Written as it was: the keeper looks.
        world.root(Update, KEPT, daily()).await;
        hold.reached().await;
        world.root(Delete, KEPT, Value::Null).await;
        let giving_up = world.model.hold("kept retire");
        hold.go();
        giving_up.reached().await;
        giving_up.go();
        settled(&world, &[first]).await;
    }
}

#[tokio::test]
async fn what_cannot_be_given_up_now_is_given_up_later() {
    let mut world = world().await;
    world.model.script("kept made", Act::Fault, 1);
    assert!(world.ask(&world.root, Update, KEPT, daily()).await.is_err());
    assert_eq!(keys(&world).len(), 1, "made, and the answer was lost");
    world.model.script("kept retire", Act::Fault, 1);
    let told = world.ask(&world.root, Delete, KEPT, Value::Null).await.unwrap();
    assert!(told.warnings.concat().contains("as soon as possible"), "{:?}", told.warnings);
    world.restart().await;
    settled(&world, &[]).await;
}
