//! Credentials that are made ahead.

use std::collections::BTreeSet;

use cofferdam_model::ErrorKind::{Denied, Invalid};
use cofferdam_model::Response;
use cofferdam_model::engine::Cause;
use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Delete, List, Read, Update, World, data, refused, text, until};

const ADDRESS: &str = "db.corp:5432";
const PATH: &str = "db/creds/app";

impl World {
    fn users(&self) -> BTreeSet<String> {
        self.model.with(ADDRESS, |server| server.users.clone())
    }

    async fn pool(&self, body: Value) {
        self.root(Update, "sys/pool/db/creds/app", body).await;
    }

    /// Waits until so many are stocked, and so many of them ready.
    async fn filled(&self, stocked: u64, ready: u64) {
        until("the pool is as it should be", || async {
            let shown = self.root(Read, "sys/pool/db/creds/app", Value::Null).await;
            shown["stocked"] == stocked && shown["ready"] == ready
        })
        .await;
    }

    async fn got(&self, token: &str) -> Response {
        self.ask(token, Read, PATH, Value::Null).await.unwrap()
    }

    /// A world with a pool of two.
    async fn stocked() -> (Self, BTreeSet<String>) {
        let world = Self::new().await;
        world.mounted().await;
        world.pool(json!({ "size": 2 })).await;
        world.filled(2, 2).await;
        let users = world.users();
        assert_eq!(users.len(), 2);
        (world, users)
    }

    /// The stock that was there is taken back, and other one comes.
    async fn replaced(&self, what: &str, old: &BTreeSet<String>) {
        until(what, || async { self.users().is_disjoint(old) && self.users().len() == 2 }).await;
        self.filled(2, 2).await;
    }
}

fn user(response: &Response) -> String {
    text(&data(response), "username")
}

#[tokio::test]
async fn each_is_handed_out_once() {
    let world = World::new().await;
    world.mounted().await;
    world.pool(json!({ "size": 8 })).await;
    world.filled(8, 8).await;
    let stock = world.users();
    let token = world.limited("app", r#"path "db/creds/app" { capabilities = ["read"] }"#).await;
    let asking: Vec<_> = (0..16).map(|_| world.spawn(&token, Read, PATH, Value::Null)).collect();
    let mut given = BTreeSet::new();
    let mut from_stock = 0;
    for task in asking {
        let response = task.await.unwrap().unwrap();
        let user = user(&response);
        if stock.contains(&user) {
            from_stock += 1;
            assert!(response.ready_at.is_some());
        }
        assert_eq!(response.lease.duration, 60);
        assert!(response.lease.id.starts_with("db/creds/app/") && response.lease.renewable);
        assert!(given.insert(user), "one user was given to two");
    }
    assert_eq!((given.len(), from_stock), (16, 8));
    world.filled(8, 8).await;
    assert_eq!(world.users().len(), 24);
    world.root(Update, "auth/token/revoke", json!({ "token": token })).await;
    until("what was the token's goes", || async { world.users().is_disjoint(&given) }).await;
    assert_eq!(world.users().len(), 8, "what waits is not the token's");
}

#[tokio::test]
async fn what_is_handed_out_is_a_lease_as_any_other() {
    let (world, stock) = World::stocked().await;
    let leases = world.root(List, "sys/leases/lookup/db/creds/app/", Value::Null).await;
    let waiting = format!("db/creds/app/{}", leases["keys"][0].as_str().unwrap());
    let renewal = world.ask(&world.root, Update, "sys/leases/renew", json!({ "lease_id": waiting })).await;
    assert_eq!(refused(renewal), Invalid, "what waits is nobody's to renew");
    world.clock.advance_seconds(20);
    let first = world.got(&world.root).await;
    assert!(stock.contains(&user(&first)));
    let shown = world.root(Update, "sys/leases/lookup", json!({ "lease_id": first.lease.id })).await;
    assert_eq!(shown["ttl"], 60, "its term begins when it is handed out");
    world.root(Update, "sys/leases/renew", json!({ "lease_id": first.lease.id })).await;
    // Longer than what waits may wait.
    world.clock.advance_seconds(45);
    until("what waited too long goes", || async {
        let users = world.users();
        users.intersection(&stock).eq([&user(&first)]) && users.len() == 3
    })
    .await;
    world.filled(2, 2).await;
}

#[tokio::test]
async fn a_lease_from_stock_ends_in_time() {
    let (world, _) = World::stocked().await;
    let given = world.got(&world.root).await;
    world.root(Delete, "sys/pool/db/creds/app", Value::Null).await;
    until("the rest goes", || async { world.users().len() == 1 }).await;
    world.clock.advance_seconds(61);
    until("it ends", || async { world.users().is_empty() }).await;
    assert!(world.ask(&world.root, Read, "sys/pool/db/creds/app", Value::Null).await.unwrap().is_empty());
    assert!(!user(&given).is_empty());
}

#[tokio::test]
async fn what_would_be_made_otherwise_now_is_taken_back() {
    let (world, mut stock) = World::stocked().await;
    world.root(Update, "db/roles/app", json!({ "db": "main" })).await;
    world.replaced("the role changed", &stock).await;
    stock = world.users();
    world.root(Update, "db/rotate-root/main", json!({})).await;
    world.replaced("the root secret changed", &stock).await;
    stock = world.users();
    let rule = "length = 20\nrule \"charset\" { charset = \"abcdefghij\" }";
    world.root(Update, "sys/policies/password/strong", json!({ "policy": rule })).await;
    world.pool(json!({ "size": 2 })).await;
    world.replaced("a password policy changed", &stock).await;
}

#[tokio::test]
async fn a_changed_role_is_never_served_from_stock() {
    let (world, stock) = World::stocked().await;
    // The filler is kept from noticing: it waits in a create of its own.
    world.root(Update, "db/roles/app", json!({ "db": "main" })).await;
    let given = world.got(&world.root).await;
    assert!(!stock.contains(&user(&given)), "it was made by the old role");
}

#[tokio::test]
async fn youth_and_leaps_do_not_count() {
    let world = World::new().await;
    world.mounted().await;
    world.pool(json!({ "size": 1, "min_age": "10s" })).await;
    world.filled(1, 0).await;
    let stock = world.users();
    let early = world.got(&world.root).await;
    assert!(early.ready_at.is_none() && !stock.contains(&user(&early)));
    world.clock.advance_seconds(9);
    assert!(world.got(&world.root).await.ready_at.is_none());
    world.clock.advance_seconds(1);
    let given = world.got(&world.root).await;
    assert!(stock.contains(&user(&given)) && given.ready_at.is_some());
    world.filled(1, 0).await;
    world.clock.leap_seconds(86_400);
    assert!(world.got(&world.root).await.ready_at.is_none(), "a leap makes nothing older");
    assert_eq!(world.root(Read, "sys/pool/db/creds/app", Value::Null).await["stocked"], 1, "and ends nothing");
}

#[tokio::test]
async fn only_the_plain_request_is_served_from_stock() {
    let (world, stock) = World::stocked().await;
    let with_parameters = world.ask(&world.root, Read, PATH, json!({ "x": "1" })).await.unwrap();
    assert!(with_parameters.ready_at.is_none());
    let nobody = world.token(json!({ "policies": ["default"] })).await;
    assert_eq!(refused(world.ask(&nobody, Read, PATH, Value::Null).await), Denied);
    let once = world.token(json!({ "policies": ["root"], "num_uses": 1 })).await;
    assert_eq!(refused(world.ask(&once, Read, PATH, Value::Null).await), Invalid);
    assert!(world.users().is_superset(&stock));
    world.filled(2, 2).await;
}

#[tokio::test]
async fn pools_have_limits_and_need_sudo() {
    let world = World::new().await;
    world.mounted().await;
    for (path, body) in [
        ("sys/pool/db/creds/app", json!({ "size": 51 })),
        ("sys/pool/db/creds/app", json!({ "size": -1 })),
        ("sys/pool/db/creds/app", json!({})),
        ("sys/pool/db/creds/app", json!({ "size": 1, "min_age": "2h" })),
        ("sys/pool/db/config/main", json!({ "size": 1 })),
        ("sys/pool/db/creds/ghost", json!({ "size": 1 })),
        ("sys/pool/db/networked/app", json!({ "size": 1 })),
        ("sys/pool/db/creds//app", json!({ "size": 1 })),
        ("sys/pool/db", json!({ "size": 1 })),
        ("sys/pool/kv/x", json!({ "size": 1 })),
        ("sys/pool/nowhere/x", json!({ "size": 1 })),
        ("sys/pool/sys/health", json!({ "size": 1 })),
    ] {
        assert_eq!(refused(world.ask(&world.root, Update, path, body.clone()).await), Invalid, "{path} {body}");
    }
    let policy = r#"path "sys/pool/*" { capabilities = ["create", "read", "update", "delete", "list"] }"#;
    let token = world.limited("pools", policy).await;
    for (operation, path) in [(Read, "sys/pool/db/creds/app"), (Update, "sys/pool/db/creds/app"), (List, "sys/pool/")] {
        assert_eq!(refused(world.ask(&token, operation, path, json!({ "size": 1 })).await), Denied, "{path}");
    }
    world.pool(json!({ "size": 0, "min_age": 5 })).await;
    world.pool(json!({ "size": 1 })).await;
    let shown = world.root(Read, "sys/pool/db/creds/app", Value::Null).await;
    assert_eq!((&shown["size"], &shown["min_age"]), (&json!(1), &json!(5)));
    assert_eq!(world.root(List, "sys/pool/", Value::Null).await["keys"], json!([PATH]));
    // The credentials of the model last a minute. One more is needed: the first may be there already.
    world.pool(json!({ "size": 2, "min_age": 30 })).await;
    until("the pool says why it stays empty", || async {
        let shown = world.root(Read, "sys/pool/db/creds/app", Value::Null).await;
        shown["last_error"].as_str().is_some_and(|e| e.contains("never be old enough"))
    })
    .await;
}

#[tokio::test]
async fn a_pool_that_cannot_be_filled_stops_nobody() {
    let world = World::new().await;
    world.mounted().await;
    world.model.script("issuer create", Act::Fail(Cause::Refused), 1);
    world.pool(json!({ "size": 1 })).await;
    until("the failure is told", || async {
        !world.root(Read, "sys/pool/db/creds/app", Value::Null).await["last_error"].is_null()
    })
    .await;
    assert!(world.got(&world.root).await.ready_at.is_none());
    // A change of the mount is a reason to try again now.
    world.root(Update, "db/roles/app", json!({ "db": "main" })).await;
    world.filled(1, 1).await;
    assert!(world.root(Read, "sys/pool/db/creds/app", Value::Null).await["last_error"].is_null());
}

#[tokio::test]
async fn stock_outlives_a_seal_and_not_its_mount() {
    let (mut world, stock) = World::stocked().await;
    world.restart().await;
    // The filler has to look once before anything is served.
    until("stock is served again", || async {
        stock.contains(&user(&world.got(&world.root).await)) || world.users().is_disjoint(&stock)
    })
    .await;
    assert!(!world.users().is_disjoint(&stock), "what waited was thrown away");
    world.filled(2, 2).await;
    world.root(Delete, "sys/mounts/db", Value::Null).await;
    assert!(world.users().is_empty());
    assert!(world.ask(&world.root, List, "sys/pool/", Value::Null).await.unwrap().is_empty());
}
