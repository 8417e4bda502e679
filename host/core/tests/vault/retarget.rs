//! A root secret goes to the address that it was given for, and to no other.

use cofferdam_model::ErrorKind::{Backend, Invalid};
use serde_json::{Value, json};

use crate::world::{Delete, Read, Update, World, refused, until};

const HOME: &str = "db.corp:5432";
const CONFIG: &str = "db/config/main";
const WRITER: &str = r#"path "db/config/*" { capabilities = ["create", "read", "update", "delete"] }
path "db/creds/*" { capabilities = ["read"] }"#;

/// A world, and a token that may write configurations and does not know the password.
async fn attacked() -> (World, String) {
    let world = World::new().await;
    world.mounted().await;
    let token = world.limited("writer", WRITER).await;
    (world, token)
}

async fn shown_url(world: &World) -> Value {
    world.root(Read, CONFIG, Value::Null).await["url"].clone()
}

#[tokio::test]
async fn another_address_needs_the_secret_again() {
    let (world, token) = attacked().await;
    for body in [
        json!({ "url": "evil.corp:5432/app" }),
        json!({ "url": "db.corp:6666/app" }),
        json!({ "url": "evil.corp:5432/app", "password": "" }),
        json!({ "url": "evil.corp:5432/app", "password": null }),
        json!({ "url": "evil.corp:5432/app", "verify": "false" }),
    ] {
        assert_eq!(refused(world.ask(&token, Update, CONFIG, body.clone()).await), Invalid, "{body}");
        assert_eq!(shown_url(&world).await, json!("db.corp:5432/app"));
    }
    for address in ["evil.corp:5432", "db.corp:6666"] {
        assert!(!world.model.was_shown(address, "first"));
    }
    world.credential().await;
}

#[tokio::test]
async fn the_secret_of_the_old_address_stays_there() {
    let (world, token) = attacked().await;
    let (lease, user) = world.credential().await;
    // Whoever sends a password sends that one.
    let body = json!({ "url": "evil.corp:5432/app", "password": "mine" });
    world.ask(&token, Update, CONFIG, body).await.unwrap();
    assert!(world.model.was_shown("evil.corp:5432", "mine"));
    assert!(!world.model.was_shown("evil.corp:5432", "first"));
    // A lease ends where it was made.
    world.root(Update, "sys/leases/revoke", json!({ "lease_id": lease })).await;
    assert!(!world.model.with(HOME, |s| s.users.contains(&user)));
    assert!(!world.model.was_shown("evil.corp:5432", "first"));
    // And back: the address moves again.
    assert_eq!(refused(world.ask(&token, Update, CONFIG, json!({ "url": "db.corp:5432/app" })).await), Invalid);
}

#[tokio::test]
async fn sudo_moves_the_address_without_the_secret() {
    let (world, _) = attacked().await;
    let body = json!({ "url": "new.corp:5432/app", "verify": "false" });
    world.root(Update, CONFIG, body).await;
    assert_eq!(shown_url(&world).await, json!("new.corp:5432/app"));
    assert!(!world.model.was_shown("new.corp:5432", "first"));
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/app", Value::Null).await), Invalid);
    world.model.serve("new.corp:5432", "second");
    world.root(Update, CONFIG, json!({ "password": "second", "url": "new.corp:5432/app" })).await;
    world.credential().await;
}

#[tokio::test]
async fn a_deleted_configuration_leaves_no_secret_to_take() {
    for with_lease in [false, true] {
        let (world, token) = attacked().await;
        let lease = if with_lease { Some(world.credential().await.0) } else { None };
        world.ask(&token, Delete, CONFIG, Value::Null).await.unwrap();
        let body = json!({ "url": "evil.corp:5432/app", "verify": "false" });
        world.ask(&token, Update, CONFIG, body).await.unwrap();
        assert_eq!(refused(world.ask(&world.root, Read, "db/creds/app", Value::Null).await), Invalid);
        assert!(!world.model.was_shown("evil.corp:5432", "first"));
        if let Some(lease) = lease {
            world.root(Update, "sys/leases/revoke", json!({ "lease_id": lease })).await;
        }
        assert!(world.model.with(HOME, |s| s.users.is_empty()));
    }
}

#[tokio::test]
async fn a_deleted_configuration_leaves_no_secret_to_the_next_one() {
    let (world, token) = attacked().await;
    // For its sake the secret stays.
    let (lease, user) = world.credential().await;
    world.ask(&token, Delete, CONFIG, Value::Null).await.unwrap();
    for body in [json!({ "url": "db.corp:5432/app" }), json!({ "url": "db.corp:5432/other", "verify": "false" })] {
        assert_eq!(refused(world.ask(&token, Update, CONFIG, body.clone()).await), Invalid, "{body}");
    }
    world.ask(&token, Update, CONFIG, json!({ "url": "db.corp:5432/app", "password": "first" })).await.unwrap();
    world.root(Update, "sys/leases/revoke", json!({ "lease_id": lease })).await;
    assert!(!world.model.with(HOME, |s| s.users.contains(&user)));
    world.credential().await;
}

/// What a lease held on to goes at the latest after the next start, if the store did not let it go with the lease.
#[tokio::test]
async fn a_generation_that_could_not_go_with_its_last_lease_goes_later() {
    for moved in [true, false] {
        let (mut world, _) = attacked().await;
        let (lease, _) = world.credential().await;
        if moved {
            world.model.serve("new.corp:5432", "second");
            world.root(Update, CONFIG, json!({ "url": "new.corp:5432/app", "password": "second" })).await;
        } else {
            world.root(Delete, CONFIG, Value::Null).await;
        }
        *world.store.fail_change.lock().unwrap() = Some(("host/mount/".to_owned(), "generation/".to_owned()));
        world.root(Update, "sys/leases/revoke", json!({ "lease_id": lease })).await;
        assert!(world.store.fail_change.lock().unwrap().is_none(), "its release was not tried");
        let held = |world: &World| world.store.gates.lock().unwrap().iter().any(|g| g.ends_with("/main/1"));
        assert!(held(&world));
        world.restart().await;
        until("the old generation to go", || async { !held(&world) }).await;
        if moved {
            world.credential().await;
        }
    }
}

#[tokio::test]
async fn another_name_has_another_secret() {
    let (world, token) = attacked().await;
    let body = json!({ "url": "db.corp:5432/app", "verify": "false" });
    world.ask(&token, Update, "db/config/other", body).await.unwrap();
    world.root(Update, "db/roles/other", json!({ "db": "other" })).await;
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/other", Value::Null).await), Invalid);
}

#[tokio::test]
async fn a_failed_check_commits_nothing() {
    let (world, _) = attacked().await;
    world.model.serve("new.corp:5432", "second");
    let body = json!({ "url": "new.corp:5432/app", "password": "wrong" });
    assert_eq!(refused(world.ask(&world.root, Update, CONFIG, body).await), Backend);
    assert_eq!(shown_url(&world).await, json!("db.corp:5432/app"));
    world.credential().await;
    let body = json!({ "url": "db.corp:5432/app", "password": "wrong" });
    assert_eq!(refused(world.ask(&world.root, Update, CONFIG, body).await), Backend);
    world.credential().await;
}

#[tokio::test]
async fn the_same_address_keeps_its_generation() {
    let (world, _) = attacked().await;
    let generation = async || world.root(Read, CONFIG, Value::Null).await["generation"].clone();
    world.root(Update, CONFIG, json!({ "url": "db.corp:5432/app" })).await;
    assert_eq!(generation().await, json!(1));
    world.root(Update, CONFIG, json!({ "url": "db.corp:5432/other" })).await;
    assert_eq!(generation().await, json!(2));
    world.credential().await;
}

#[tokio::test]
async fn of_two_moves_at_once_each_has_its_own_generation() {
    let (world, _) = attacked().await;
    for (address, password) in [("a.corp:1", "a"), ("b.corp:1", "b")] {
        world.model.serve(address, password);
    }
    let hold = world.model.hold("issuer config");
    let slow = world.spawn(&world.root, Update, CONFIG, json!({ "url": "a.corp:1/x", "password": "a" }));
    hold.reached().await;
    world.root(Update, CONFIG, json!({ "url": "b.corp:1/x", "password": "b" })).await;
    let (lease, user) = world.credential().await;
    assert!(world.model.with("b.corp:1", |s| s.users.contains(&user)));
    hold.go();
    slow.await.unwrap().unwrap();
    let shown = world.root(Read, CONFIG, Value::Null).await;
    assert_eq!(shown, json!({ "url": "a.corp:1/x", "generation": 3 }));
    world.root(Update, "sys/leases/revoke", json!({ "lease_id": lease })).await;
    until("the user goes", || async { world.model.with("b.corp:1", |s| s.users.is_empty()) }).await;
}

#[tokio::test]
async fn a_move_and_a_deletion_at_once_lose_no_generation() {
    let (world, _) = attacked().await;
    for (address, password) in [("b.corp:1", "b"), ("c.corp:1", "c")] {
        world.model.serve(address, password);
    }
    // The deletion has read the current generation and waits; meanwhile the address moves and a lease is made there.
    let hold = world.model.hold("issuer delete");
    let deleting = world.spawn(&world.root, Delete, CONFIG, Value::Null);
    hold.reached().await;
    let reading = world.hold_entry("current/main");
    hold.go();
    reading.reached().await;
    world.root(Update, CONFIG, json!({ "url": "b.corp:1/x", "password": "b" })).await;
    let (lease, _) = world.credential().await;
    reading.go();
    deleting.await.unwrap().unwrap();
    world.root(Update, CONFIG, json!({ "url": "c.corp:1/x", "password": "c" })).await;
    assert_eq!(world.root(Read, CONFIG, Value::Null).await["generation"], json!(3));
    world.root(Update, "sys/leases/revoke", json!({ "lease_id": lease })).await;
    assert!(world.model.with("b.corp:1", |s| s.users.is_empty()));
}
