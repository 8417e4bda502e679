//! Credentials: plans that are refused, and what happens while one is made.

use cofferdam_model::ErrorKind::{Backend, Denied, Invalid, Unavailable};
use cofferdam_model::engine::Cause;
use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Delete, List, Read, Update, World, refused, until};

const ADDRESS: &str = "db.corp:5432";

async fn no_user_is_left(world: &World) {
    until("every user goes", || async { world.model.with(ADDRESS, |s| s.users.is_empty()) }).await;
}

#[tokio::test]
async fn a_lease_is_renewed_and_revoked() {
    let world = World::new().await;
    world.mounted().await;
    let (lease, user) = world.credential().await;
    assert!(world.model.with(ADDRESS, |s| s.users.contains(&user)));
    world.root(Update, "sys/leases/renew", json!({ "lease_id": lease, "increment": 90 })).await;
    world.root(Update, "sys/leases/revoke", json!({ "lease_id": lease })).await;
    assert!(world.model.with(ADDRESS, |s| s.users.is_empty()));
    let gone = world.ask(&world.root, Update, "sys/leases/lookup", json!({ "lease_id": lease })).await;
    assert_eq!(refused(gone), Invalid);
}

#[tokio::test]
async fn plans_that_break_the_contract_make_nothing() {
    let world = World::new().await;
    world.mounted().await;
    // Each is told to reviewers, in these words.
    let blamed = |answer: &str| {
        let (mount, told) = world.model.last_blamed();
        assert!(mount == "db/" && told.contains(answer), "{mount}: {told}");
    };
    for (role, answer) in [
        (json!({ "db": "main", "kind": "ghost" }), "the kind \"ghost\""),
        (json!({ "db": "main", "object": "" }), "without a usable name"),
        (json!({ "db": "main", "object": "a\u{0}b" }), "without a usable name"),
        (json!({ "db": "main", "object": "x".repeat(513) }), "without a usable name"),
        (json!({ "db": "elsewhere" }), "the backend \"elsewhere\""),
        (json!({ "db": "" }), "the backend \"\""),
    ] {
        world.root(Update, "db/roles/bad", role.clone()).await;
        assert_eq!(refused(world.ask(&world.root, Read, "db/creds/bad", Value::Null).await), Backend, "{role}");
        blamed(answer);
    }
    // A route with network may not plan.
    assert_eq!(refused(world.ask(&world.root, Read, "db/networked/app", Value::Null).await), Backend);
    blamed("in a call with network");
    assert!(world.model.with(ADDRESS, |s| s.users.is_empty()));
    assert!(world.ask(&world.root, List, "sys/leases/lookup/db/", Value::Null).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_object_has_one_lease() {
    let world = World::new().await;
    world.mounted().await;
    world.root(Update, "db/roles/fixed", json!({ "db": "main", "object": "alice" })).await;
    let made = world.ask(&world.root, Read, "db/creds/fixed", Value::Null).await.unwrap();
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/fixed", Value::Null).await), Backend);
    assert!(world.model.last_blamed().1.contains("another live lease"));
    assert!(world.model.with(ADDRESS, |s| s.users.contains("alice")), "the live one stays");
    world.root(Update, "sys/leases/revoke", json!({ "lease_id": made.lease.id })).await;
    world.ask(&world.root, Read, "db/creds/fixed", Value::Null).await.unwrap();
}

#[tokio::test]
async fn a_token_revoked_meanwhile_gets_nothing() {
    let world = World::new().await;
    world.mounted().await;
    let token = world.limited("app", r#"path "db/creds/app" { capabilities = ["read"] }"#).await;
    let hold = world.model.hold("issuer created");
    let asking = world.spawn(&token, Read, "db/creds/app", Value::Null);
    hold.reached().await;
    world.root(Update, "auth/token/revoke", json!({ "token": token })).await;
    hold.go();
    assert!(asking.await.unwrap().is_err());
    no_user_is_left(&world).await;
}

#[tokio::test]
async fn a_connection_deleted_meanwhile_gives_nothing() {
    let world = World::new().await;
    world.mounted().await;
    let hold = world.model.hold("issuer created");
    let asking = world.spawn(&world.root, Read, "db/creds/app", Value::Null);
    hold.reached().await;
    world.root(Delete, "db/config/main", Value::Null).await;
    hold.go();
    assert_eq!(refused(asking.await.unwrap()), Unavailable);
    no_user_is_left(&world).await;
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/app", Value::Null).await), Backend);
}

#[tokio::test]
async fn a_client_that_goes_away_changes_nothing() {
    let world = World::new().await;
    world.mounted().await;
    let hold = world.model.hold("issuer create");
    let asking = world.spawn(&world.root, Read, "db/creds/app", Value::Null);
    hold.reached().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    hold.go();
    until("the lease is there", || async {
        !world.ask(&world.root, List, "sys/leases/lookup/db/creds/app/", Value::Null).await.unwrap().is_empty()
    })
    .await;
    world.root(Update, "sys/leases/revoke-prefix/db/", Value::Null).await;
    no_user_is_left(&world).await;
}

#[tokio::test]
async fn a_create_of_unknown_outcome_is_taken_back() {
    let world = World::new().await;
    world.mounted().await;
    world.model.script("issuer created", Act::Fault, 1);
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/app", Value::Null).await), Backend);
    no_user_is_left(&world).await;
    world.model.script("issuer create", Act::Fail(Cause::Refused), 1);
    assert_eq!(refused(world.ask(&world.root, Read, "db/creds/app", Value::Null).await), Backend);
    no_user_is_left(&world).await;
}

#[tokio::test]
async fn only_the_leases_own_policy_sees_them() {
    let world = World::new().await;
    world.mounted().await;
    let (lease, _) = world.credential().await;
    let nobody = world.token(json!({ "policies": ["default"] })).await;
    for (operation, path) in [
        (Update, "sys/leases/revoke".to_owned()),
        (Update, format!("sys/leases/revoke/{lease}")),
        (Update, "sys/leases/revoke-prefix/db".to_owned()),
        (List, "sys/leases/lookup/db/".to_owned()),
    ] {
        let body = json!({ "lease_id": lease });
        assert_eq!(refused(world.ask(&nobody, operation, &path, body).await), Denied, "{path}");
    }
}
