//! Rotation: whatever breaks, the secret that the backend has is known.

use std::sync::Mutex;

use cofferdam_model::ErrorKind::{Backend, Unavailable};
use cofferdam_model::engine::Cause;
use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Delete, Read, Update, World, data, refused, until};

const HOME: &str = "db.corp:5432";
const ROTATE: &str = "db/rotate-root/main";

fn password(world: &World) -> String {
    world.model.with(HOME, |s| s.password.clone())
}

/// Whether the server can still work with the backend.
async fn works(world: &World) {
    until("credentials can be made", || async {
        world.ask(&world.root, Read, "db/creds/app", Value::Null).await.is_ok()
    })
    .await;
}

/// Rotates as soon as nobody else does: what a start resumed may still be under way. Answers what the client is told.
async fn rotated(world: &World) -> Value {
    let told = Mutex::new(Value::Null);
    until("a rotation", || async {
        match world.ask(&world.root, Update, ROTATE, json!({})).await {
            Ok(response) => {
                *told.lock().unwrap() = data(&response);
                true
            }
            Err(error) => {
                assert_eq!(error.kind, Unavailable, "{error}");
                false
            }
        }
    })
    .await;
    told.into_inner().unwrap()
}

#[tokio::test]
async fn a_rotation_changes_the_password() {
    let mut world = World::new().await;
    world.mounted().await;
    for _ in 0..3 {
        let before = password(&world);
        rotated(&world).await;
        assert_ne!(password(&world), before);
        world.credential().await;
        world.restart().await;
        world.credential().await;
    }
    assert_eq!(refused(world.ask(&world.root, Update, "db/rotate-root/none", json!({})).await), Backend);
}

#[tokio::test]
async fn a_death_at_any_step_is_resumed() {
    for step in ["propose", "apply", "applied", "prove", "proved"] {
        let mut world = World::new().await;
        world.mounted().await;
        let hold = world.model.hold(&format!("issuer {step}"));
        let rotating = world.spawn(&world.root, Update, ROTATE, json!({}));
        hold.reached().await;
        rotating.abort();
        assert!(rotating.await.unwrap_err().is_cancelled());
        world.restart().await;
        works(&world).await;
        if step != "propose" {
            until("the candidate is applied", || async { password(&world) != "first" }).await;
        }
        rotated(&world).await;
        works(&world).await;
    }
}

#[tokio::test]
async fn a_fault_at_any_step_keeps_both_secrets() {
    for step in ["propose", "apply", "applied", "prove", "proved"] {
        for times in [1, 2, 3] {
            let mut world = World::new().await;
            world.mounted().await;
            world.model.script(&format!("issuer {step}"), Act::Fault, times);
            let _ = world.ask(&world.root, Update, ROTATE, json!({})).await;
            world.model.clear(&format!("issuer {step}"));
            world.restart().await;
            works(&world).await;
            rotated(&world).await;
            works(&world).await;
        }
    }
}

#[tokio::test]
async fn a_store_that_breaks_at_the_promotion_forgets_nothing() {
    let mut world = World::new().await;
    world.mounted().await;
    *world.store.fail_change.lock().unwrap() = Some(("host/mount/".to_owned(), "slot/".to_owned()));
    assert!(world.ask(&world.root, Update, ROTATE, json!({})).await.is_err());
    assert_ne!(password(&world), "first");
    world.restart().await;
    works(&world).await;
}

#[tokio::test]
async fn a_definite_no_ends_the_rotation() {
    let world = World::new().await;
    world.mounted().await;
    world.model.script("issuer apply", Act::Fail(Cause::Refused), 1);
    assert_eq!(refused(world.ask(&world.root, Update, ROTATE, json!({})).await), Backend);
    assert_eq!(password(&world), "first");
    world.credential().await;
    rotated(&world).await;
    world.credential().await;
}

#[tokio::test]
async fn a_late_effect_of_a_lost_call_is_known() {
    let world = World::new().await;
    world.mounted().await;
    // The call is lost and its effect is not visible yet: the candidate fails the proof, the old password passes it.
    world.model.script("issuer applied", Act::Fault, 1);
    let proving = world.model.hold("issuer prove");
    let rotating = world.spawn(&world.root, Update, ROTATE, json!({}));
    proving.reached().await;
    let candidate = password(&world);
    world.model.with(HOME, |s| "first".clone_into(&mut s.password));
    proving.go();
    assert_eq!(refused(rotating.await.unwrap()), Backend);
    world.credential().await;
    // Now it is.
    world.model.with(HOME, |s| s.password = candidate.clone());
    rotated(&world).await;
    assert_eq!(password(&world), candidate, "the same candidate");
    world.credential().await;
}

#[tokio::test]
async fn rotations_at_once_do_not_lose_a_secret() {
    let world = World::new().await;
    world.mounted().await;
    let hold = world.model.hold("issuer proved");
    let slow = world.spawn(&world.root, Update, ROTATE, json!({}));
    hold.reached().await;
    // The first one is about to promote its candidate. Whatever others do meanwhile must not be undone by it.
    for _ in 0..2 {
        let _ = world.ask(&world.root, Update, ROTATE, json!({})).await;
    }
    hold.go();
    let _ = slow.await.unwrap();
    world.credential().await;
    rotated(&world).await;
    world.credential().await;
}

#[tokio::test]
async fn an_unfinished_rotation_does_not_follow_the_configuration() {
    let mut world = World::new().await;
    world.mounted().await;
    world.model.script("issuer apply", Act::Fault, usize::MAX);
    assert!(world.ask(&world.root, Update, ROTATE, json!({})).await.is_err());
    // The backend is gone for good; the connection moves to a new one, which can be rotated.
    world.model.serve("new.corp:5432", "second");
    world.root(Update, "db/config/main", json!({ "url": "new.corp:5432/app", "password": "second" })).await;
    world.model.clear("issuer apply");
    rotated(&world).await;
    assert_ne!(world.model.with("new.corp:5432", |s| s.password.clone()), "second");
    world.restart().await;
    world.credential().await;
}

#[tokio::test]
async fn a_deleted_configuration_is_not_rotated() {
    let world = World::new().await;
    world.mounted().await;
    world.credential().await;
    world.root(Delete, "db/config/main", Value::Null).await;
    assert_eq!(refused(world.ask(&world.root, Update, ROTATE, json!({})).await), Backend);
    assert_eq!(password(&world), "first");
}

#[tokio::test]
async fn a_backend_that_chooses_is_believed() {
    for step in ["propose", "apply", "chose", "applied", "prove", "proved", "retire", "retired"] {
        let mut world = World::new().await;
        world.mounted().await;
        world.model.with(HOME, |s| s.chooses = true);
        world.model.script(&format!("issuer {step}"), Act::Fault, 1);
        let _ = world.ask(&world.root, Update, ROTATE, json!({})).await;
        world.restart().await;
        works(&world).await;
        rotated(&world).await;
        assert!(password(&world).starts_with("chosen-"), "{step}");
        works(&world).await;
    }
}

#[tokio::test]
async fn the_old_secret_is_retired_however_often_it_takes() {
    let mut world = World::new().await;
    world.mounted().await;
    world.model.script("issuer retire", Act::Fault, usize::MAX);
    assert!(world.ask(&world.root, Update, ROTATE, json!({})).await.is_err());
    // The new one is in use all the same.
    assert_ne!(password(&world), "first");
    world.credential().await;
    world.model.clear("issuer retire");
    world.restart().await;
    until("the old secret is retired", || async { world.model.with(HOME, |s| s.retired == ["first"]) }).await;
    let told = rotated(&world).await;
    assert_eq!(told["about"], "the new one");
}
