//! Creates: what is made has an active lease, whatever became of the answer.

use std::sync::Arc;

use cofferdam_leases::IssueError;
use cofferdam_storage::port::{LeaseFilter, LeaseState};
use tokio::sync::Notify;

use crate::backend::{Creates, Mood};
use crate::steps::Writes;
use crate::world::{World, intent};

#[tokio::test]
async fn what_was_made_is_leased_and_what_was_not_leaves_no_row() {
    let world = World::new().await;
    let made = world.issue("b", "good", Creates::Well).await.unwrap();
    assert_eq!(made.lease.record.handle.data, "\"made\"");
    assert!(world.issue("b", "refused", Creates::Untouched).await.is_err());
    assert_eq!(world.objects(None).await, ["good"], "what was certainly not made leaves no row");
}

#[tokio::test]
async fn a_create_that_was_never_begun_leaves_no_row() {
    let world = World::new().await;
    assert!(world.issue("b", "refused", Creates::NotStarted).await.is_err());
    assert!(world.objects(None).await.is_empty(), "nobody asked the backend for anything");
    assert_eq!(world.backend.released(), 1);
}

#[tokio::test]
async fn a_create_of_unknown_outcome_is_taken_back() {
    for how in [Creates::Mute, Creates::HostTrouble] {
        // A world of its own: a worker that runs already would race the first look at the row.
        let world = World::new().await;
        world.issue("b", "good", Creates::Well).await.unwrap();
        assert!(world.issue("b", "lost", how).await.is_err());
        assert_eq!(world.objects(Some(LeaseState::Revoking)).await, ["lost"], "not known to be nothing: {how:?}");
        world.start_worker();
        world.agrees().await;
        assert_eq!(world.backend.objects(), ["good"], "{how:?}");
    }
}

#[tokio::test]
async fn a_zombie_that_comes_after_it_was_seen_absent_is_ended() {
    let world = World::new().await;
    world.start_worker();
    assert!(world.issue("b", "late", Creates::Zombie).await.is_err());
    let settling = || async { world.objects(Some(LeaseState::Settling)).await == ["late"] };
    world.soon("seen absent", settling).await;
    world.clock.advance_seconds(80);
    world.ledger.look();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(world.objects(None).await, ["late"], "absent before not-after and its margin decides nothing");
    world.backend.release();
    assert_eq!(world.backend.objects(), ["late"]);
    world.agrees().await;
    assert!(world.backend.objects().is_empty());
    assert_eq!(world.backend.released(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_cuts_nothing() {
    let world = World::new().await;
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (started, wait, backend) = (begun.clone(), go.clone(), world.backend.clone());
    let make: cofferdam_leases::Make = Box::new(move |lease| {
        Box::pin(async move {
            started.notify_one();
            wait.notified().await;
            backend.create(lease, Creates::Well).await
        })
    });
    let ledger = world.ledger.clone();
    let client = tokio::spawn(async move { ledger.issue(intent("b", "x"), make).await });
    begun.notified().await;
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    assert_eq!(world.objects(Some(LeaseState::Pending)).await, ["x"]);
    go.notify_one();
    world.soon("activated", || async { world.objects(Some(LeaseState::Active)).await == ["x"] }).await;
    assert_eq!(world.backend.objects(), ["x"]);
}

#[tokio::test]
async fn two_creates_cannot_have_one_object() {
    let world = World::new().await;
    let (a, b) = tokio::join!(world.issue("b", "x", Creates::Well), world.issue("c", "x", Creates::Well));
    assert!(matches!((a, b), (Ok(_), Err(IssueError::Taken(_))) | (Err(IssueError::Taken(_)), Ok(_))));
    assert_eq!(world.objects(None).await, ["x"]);
    // Somebody else's object is not ended by the failure to make it again.
    world.backend.plant("dba", "not ours");
    assert!(world.issue("b", "dba", Creates::Well).await.is_err());
    assert_eq!(world.backend.objects(), ["dba", "x"]);
    assert_eq!(world.objects(None).await, ["x"]);
}

#[tokio::test]
async fn an_intent_that_is_too_late_makes_nothing() {
    let world = World::new().await;
    let late = cofferdam_leases::Intent { creates_within: 0, ..intent("b", "x") };
    let made = world.ledger.issue(late, world.make(Creates::Well)).await;
    assert!(matches!(made, Err(IssueError::Failed(_))));
    assert!(world.backend.objects().is_empty() && world.objects(None).await.is_empty());
}

#[tokio::test]
async fn a_commit_of_unknown_outcome_is_looked_up() {
    let world = World::new().await;
    // The intent goes well; the activation is written and answered with an error.
    world.store.set_writes(1, Writes::Mute);
    let made = world.issue("b", "x", Creates::Well).await.unwrap();
    world.store.set_writes(0, Writes::Well);
    assert_eq!(world.state(&made.lease.id).await, Some(LeaseState::Active));

    world.store.set_writes(1, Writes::Refused);
    assert!(world.issue("b", "y", Creates::Well).await.is_err());
    world.store.set_writes(0, Writes::Well);
    assert_eq!(world.objects(Some(LeaseState::Pending)).await, ["y"], "the store takes nothing: it falls due");
    world.start_worker();
    world.agrees().await;
    assert_eq!(world.backend.objects(), ["x"]);
}

#[tokio::test]
async fn what_was_forgotten_by_force_while_it_was_made_is_remembered_again() {
    let world = World::new().await;
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (started, wait, backend) = (begun.clone(), go.clone(), world.backend.clone());
    let make: cofferdam_leases::Make = Box::new(move |lease| {
        Box::pin(async move {
            started.notify_one();
            wait.notified().await;
            backend.create(lease, Creates::Well).await
        })
    });
    let ledger = world.ledger.clone();
    let client = tokio::spawn(async move { ledger.issue(intent("b", "x"), make).await });
    begun.notified().await;
    world.backend.set_mood("b", Mood::Unreachable);
    world.ledger.revoke_all(LeaseFilter::default(), true, true).await.unwrap();
    assert!(world.objects(None).await.is_empty());
    go.notify_one();
    assert!(client.await.unwrap().is_err());
    assert_eq!(world.backend.objects(), ["x"]);
    assert_eq!(world.objects(Some(LeaseState::Revoking)).await, ["x"]);
    world.backend.set_mood("b", Mood::Good);
    world.start_worker();
    world.agrees().await;
    assert!(world.backend.objects().is_empty());
}
