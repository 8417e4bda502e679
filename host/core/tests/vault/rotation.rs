//! Rotation: whatever breaks, the secret that the backend has is known.

use cofferdam_model::ErrorKind::Backend;
use cofferdam_model::engine::Cause;
use serde_json::{Value, json};

use crate::model::Act;
use crate::world::{Delete, Read, Update, World, refused, until};

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

#[tokio::test]
async fn a_rotation_changes_the_password() {
    let mut world = World::new().await;
    world.mounted().await;
    for _ in 0..3 {
        let before = password(&world);
        world.root(Update, ROTATE, json!({})).await;
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
        world.root(Update, ROTATE, json!({})).await;
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
            world.root(Update, ROTATE, json!({})).await;
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
    world.root(Update, ROTATE, json!({})).await;
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
    world.root(Update, ROTATE, json!({})).await;
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
    world.root(Update, ROTATE, json!({})).await;
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
    world.root(Update, ROTATE, json!({})).await;
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
