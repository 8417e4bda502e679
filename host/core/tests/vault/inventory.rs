//! The inventory, page by page: everything once, and the backends are looked at once.

use cofferdam_model::ErrorKind::{Denied, Invalid};
use serde_json::{Value, json};

use crate::world::{Read, Update, World, refused, text};

const BACKENDS: [(&str, &str); 3] = [("main", "db.corp:5432"), ("main-b", "b.corp:5432"), ("mai", "c.corp:5432")];

/// Three backends with two users each. Their names sort in another way than what begins with their names.
async fn world() -> (World, Vec<String>) {
    let world = World::new().await;
    world.mounted().await;
    let mut made = Vec::new();
    for (backend, address) in BACKENDS {
        world.model.serve(address, "first");
        let config = json!({ "url": format!("{address}/app"), "password": "first" });
        world.root(Update, &format!("db/config/{backend}"), config).await;
        world.root(Update, "db/roles/app", json!({ "db": backend })).await;
        for _ in 0..2 {
            made.push(world.credential().await.1);
        }
    }
    made.sort();
    (world, made)
}

fn looked(world: &World) -> usize {
    BACKENDS.iter().map(|(_, address)| world.model.with(address, |s| std::mem::take(&mut s.browsed))).sum()
}

async fn page(world: &World, limit: u64, after: &str) -> (Vec<String>, Option<String>) {
    let shown = world.root(Read, "sys/inventory/db", json!({ "limit": limit, "after": after })).await;
    let names = shown["objects"].as_array().unwrap().iter().map(|object| text(object, "object")).collect();
    (names, shown["next"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn a_page_costs_a_page() {
    let (world, made) = world().await;
    let (all, next) = page(&world, 100, "").await;
    assert_eq!((all.len(), next), (6, None));
    let bad = world.ask(&world.root, Read, "sys/inventory/db", json!({ "after": all[0] })).await;
    assert_eq!(refused(bad), Invalid);
    let once = looked(&world);
    for limit in [1, 2, 4, 5] {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let (names, next) = page(&world, limit, &after).await;
            all.extend(names);
            let Some(next) = next else { break };
            after = next;
        }
        all.sort();
        assert_eq!(all, made, "{limit} at a time");
        assert_eq!(looked(&world), once, "{limit} at a time");
    }
}

#[tokio::test]
async fn a_listing_that_was_forgotten_is_made_anew() {
    let (mut world, made) = world().await;
    let (mut all, next) = page(&world, 2, "").await;
    world.restart().await;
    let (rest, next) = page(&world, 100, &next.unwrap()).await;
    assert_eq!(next, None);
    all.extend(rest);
    all.sort();
    assert_eq!(all, made);
}

#[tokio::test]
async fn whoever_may_not_look_may_not_act_either() {
    let (world, made) = world().await;
    let asked = [
        (Read, "sys/inventory/db"),
        (Update, "sys/inventory/db/adopt"),
        (Update, "sys/inventory/db/destroy"),
        (Update, "sys/inventory/db/ignore"),
    ];
    let all = "capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"";
    for (name, policy, allowed) in [
        ("without", "path \"db/*\" { capabilities = [\"read\"] }".to_owned(), false),
        ("unsudo", format!("path \"sys/inventory/*\" {{ {all}] }}"), false),
        ("elsewhere", format!("path \"sys/inventory/kv*\" {{ {all}, \"sudo\"] }}"), false),
        ("sudo", format!("path \"sys/inventory/*\" {{ {all}, \"sudo\"] }}"), true),
    ] {
        let token = world.limited(name, &policy).await;
        for (operation, path) in asked {
            let body = if operation == Read { Value::Null } else { json!({ "object": made[0] }) };
            match world.ask(&token, operation, path, body).await {
                Ok(_) => assert!(allowed && operation == Read, "{name}: {path}"),
                // A user with a lease is no orphan.
                Err(e) if allowed => assert_eq!(e.kind, Invalid, "{name}: {path}: {e}"),
                Err(e) => assert_eq!(e.kind, Denied, "{name}: {path}: {e}"),
            }
        }
        assert!(allowed || looked(&world) == 0, "{name}: the backend was asked");
    }
}
