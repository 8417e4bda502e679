//! Init, unseal, seal, and crashes between.

use cofferdam_model::ErrorKind;
use serde_json::{Value, json};

use crate::world::{List, Read, Update, World, data, refused};

async fn progress(world: &World) -> (bool, u64) {
    let status = data(&world.ask("", Read, "sys/seal-status", Value::Null).await.unwrap());
    (status["sealed"].as_bool().unwrap(), status["progress"].as_u64().unwrap())
}

async fn give(world: &World, key: &str) -> Result<(), ErrorKind> {
    world.ask("", Update, "sys/unseal", json!({ "key": key })).await.map(|_| ()).map_err(|e| e.kind)
}

#[tokio::test]
async fn three_of_five_shares_unseal_in_any_order() {
    let mut world = World::empty().await;
    assert_eq!(refused(world.ask("x", Read, "kv/a", Value::Null).await), ErrorKind::Sealed);
    world.init(5, 3).await.unwrap();
    assert_eq!(world.init(1, 1).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(refused(world.ask(&world.root, Read, "sys/mounts", Value::Null).await), ErrorKind::Sealed);

    // The same share again is the same share, in whatever form.
    let keys = world.keys.clone();
    give(&world, &keys[4]).await.unwrap();
    give(&world, &keys[4]).await.unwrap();
    assert_eq!(progress(&world).await, (true, 1));
    world.ask("", Update, "sys/unseal", json!({ "reset": true })).await.unwrap();
    assert_eq!(progress(&world).await, (true, 0));

    for key in [&keys[4], &keys[0], &keys[2]] {
        give(&world, key).await.unwrap();
    }
    assert_eq!(progress(&world).await, (false, 0));
    assert!(world.is_valid(&world.root).await);
    // Nobody can take the shares of an unsealed server away, and one more changes nothing.
    assert_eq!(refused(world.ask("", Update, "sys/unseal", json!({ "reset": true })).await), ErrorKind::Invalid);
    give(&world, "not even a share").await.unwrap();
}

#[tokio::test]
async fn wrong_shares_unseal_nothing_and_leave_nothing() {
    let mut other = World::empty().await;
    other.init(5, 3).await.unwrap();
    let mut world = World::empty().await;
    world.init(5, 3).await.unwrap();
    let keys = world.keys.clone();

    assert_eq!(give(&world, "zz").await, Err(ErrorKind::Invalid));
    assert_eq!(give(&world, "").await, Err(ErrorKind::Invalid));
    give(&world, &keys[0]).await.unwrap();
    give(&world, &other.keys[1]).await.unwrap();
    assert_eq!(give(&world, &keys[2]).await, Err(ErrorKind::Invalid));
    assert_eq!(progress(&world).await, (true, 0));
    // Another share with a number that was given already.
    give(&world, &keys[0]).await.unwrap();
    give(&world, &other.keys[0]).await.unwrap();
    assert_eq!(give(&world, &keys[1]).await, Err(ErrorKind::Invalid));
    for key in &keys[..3] {
        give(&world, key).await.unwrap();
    }
    assert_eq!(progress(&world).await, (false, 0));
}

#[tokio::test]
async fn bad_numbers_of_shares_initialise_nothing() {
    let mut world = World::empty().await;
    for (shares, threshold) in [(0, 0), (1, 2), (5, 1), (3, 0)] {
        assert_eq!(world.init(shares, threshold).await.unwrap_err().kind, ErrorKind::Invalid, "{shares}/{threshold}");
    }
    let many = json!({ "secret_shares": 256, "secret_threshold": 3 });
    assert_eq!(refused(world.ask("", Update, "sys/init", many).await), ErrorKind::Invalid);
    world.init(1, 1).await.unwrap();
}

#[tokio::test]
async fn an_init_that_broke_off_can_be_repeated() {
    for broken in ["seal", "keyring"] {
        let mut world = World::empty().await;
        *world.store.fail_meta.lock().unwrap() = Some(broken.to_owned());
        assert!(world.init(1, 1).await.is_err());
        world.init(1, 1).await.unwrap();
        world.unseal().await;
        world.mounted().await;
        let accessors = world.root(List, "auth/token/accessors/", Value::Null).await;
        assert_eq!(accessors["keys"].as_array().unwrap().len(), 1, "of the first attempt nothing is left");
        world.restart().await;
        world.credential().await;
    }
}

#[tokio::test]
async fn sealing_waits_for_requests_and_keeps_what_they_wrote() {
    let mut world = World::new().await;
    world.mounted().await;
    let hold = world.model.hold("kv read");
    let writing = world.spawn(&world.root, Update, "kv/data/a", json!({ "x": 1 }));
    hold.reached().await;
    let core = world.core.clone();
    let sealing = tokio::spawn(async move { core.shutdown().await });
    while world.core.handle(cofferdam_model::Request::new(Read, "kv/data/a")).await.unwrap_err().kind
        != ErrorKind::Sealed
    {
        tokio::task::yield_now().await;
    }
    // Whoever asks how the server is does not wait.
    assert_eq!(progress(&world).await, (true, 0));
    assert!(!sealing.is_finished());
    hold.go();
    writing.await.unwrap().unwrap();
    sealing.await.unwrap();
    world.restart().await;
    assert_eq!(world.root(Read, "kv/data/a", Value::Null).await, json!({ "x": 1 }));
}

#[tokio::test]
async fn sealing_needs_sudo_and_is_not_for_the_sealed() {
    let world = World::new().await;
    let token = world.limited("sealer", r#"path "sys/seal" { capabilities = ["update"] }"#).await;
    assert_eq!(refused(world.ask(&token, Update, "sys/seal", Value::Null).await), ErrorKind::Denied);
    assert_eq!(refused(world.ask("", Update, "sys/seal", Value::Null).await), ErrorKind::Denied);
    world.root(Update, "sys/seal", Value::Null).await;
    assert_eq!(progress(&world).await, (true, 0));
    assert_eq!(refused(world.ask(&world.root, Read, "sys/mounts", Value::Null).await), ErrorKind::Sealed);
    // Sealed once is sealed; it asks for no token.
    world.ask("", Update, "sys/seal", Value::Null).await.unwrap();
}
