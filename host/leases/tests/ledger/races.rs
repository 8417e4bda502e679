//! Creates, renewals and revocations of one lease at one moment.

use std::sync::Arc;

use cofferdam_leases::{IssueError, Made, Make};
use cofferdam_model::Error;
use cofferdam_storage::port::{LeaseFilter, LeaseState, Op};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::backend::{Creates, Mood};
use crate::world::{GATE, TOKEN, World, intent};

/// A create that was made in the backend and waits before it answers.
struct Held {
    client: JoinHandle<Result<Made, IssueError>>,
    go: Arc<Notify>,
}

impl Held {
    async fn new(world: &World, made_before: bool) -> Self {
        let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (started, wait, backend) = (begun.clone(), go.clone(), world.backend.clone());
        let make: Make = Box::new(move |lease| {
            Box::pin(async move {
                if made_before {
                    let done = backend.create(lease, Creates::Well).await;
                    started.notify_one();
                    wait.notified().await;
                    return done;
                }
                started.notify_one();
                wait.notified().await;
                backend.create(lease, Creates::Well).await
            })
        });
        let ledger = world.ledger.clone();
        let client = tokio::spawn(async move { ledger.issue(intent("b", "x"), make).await });
        begun.notified().await;
        Self { client, go }
    }

    async fn end(self) -> Result<Made, IssueError> {
        self.go.notify_one();
        self.client.await.unwrap()
    }
}

#[tokio::test]
async fn a_create_does_not_outlive_its_token() {
    for made_before in [false, true] {
        for walked in [false, true] {
            let world = World::new().await;
            world.start_worker();
            let held = Held::new(&world, made_before).await;
            world.condemn_token().await;
            if walked {
                let of_token = LeaseFilter { token: Some(TOKEN.to_owned()), ..LeaseFilter::default() };
                world.ledger.revoke_all(of_token, true, false).await.unwrap();
                assert_eq!(world.objects(None).await, ["x"], "the create has not ended: its row must stay");
            }
            assert!(held.end().await.is_err());
            world.agrees().await;
            assert!(world.backend.objects().is_empty());
            assert!(world.issue("b", "y", Creates::Well).await.is_err());
            assert!(world.objects(None).await.is_empty(), "an intent needs a live token too");
        }
    }
}

#[tokio::test]
async fn a_create_does_not_outlive_its_mount() {
    let world = World::new().await;
    world.start_worker();
    let held = Held::new(&world, true).await;
    world.applied(vec![Op::SetGate { gate: GATE.to_owned(), open: false }]).await;
    assert!(held.end().await.is_err());
    world.agrees().await;
    assert!(world.backend.objects().is_empty());
    assert!(world.issue("b", "y", Creates::Well).await.is_err());
}

#[tokio::test]
async fn a_create_that_is_slower_than_allowed_is_ended() {
    let world = World::new().await;
    world.start_worker();
    let held = Held::new(&world, true).await;
    world.clock.advance_seconds(31);
    world.ledger.look();
    world.soon("condemned", || async { world.objects(Some(LeaseState::Pending)).await.is_empty() }).await;
    assert!(held.end().await.is_err());
    world.agrees().await;
}

#[tokio::test]
async fn a_renewal_never_brings_a_revoked_lease_back() {
    let world = World::new().await;
    let id = world.made("b", "x").await;
    for round in 0..20 {
        let id = if round == 0 { id.clone() } else { world.made("b", "x").await };
        let (revoked, renewed) = tokio::join!(world.ledger.revoke(&id, true), world.ledger.renew(&id, 60, 60, 600));
        revoked.unwrap();
        drop(renewed);
        assert_eq!(world.state(&id).await, None);
        assert!(world.backend.objects().is_empty());
    }
}

/// Many ask for the revocation of one lease; the first has reached the backend, which hangs.
async fn hung_revocations(world: &World, id: &str) -> Vec<JoinHandle<Result<(), Error>>> {
    world.backend.set_mood("b", Mood::Hangs);
    let callers = (0..20).map(|_| {
        let (ledger, id) = (world.ledger.clone(), id.to_owned());
        tokio::spawn(async move { ledger.revoke(&id, true).await })
    });
    let callers = callers.collect();
    world.soon("asked", || async { world.backend.asked("b") > 0 }).await;
    callers
}

/// The row moves under the attempt that the others wait for: not because that one failed.
#[tokio::test]
async fn revocations_of_what_is_being_made_are_not_told_of_a_failure_that_never_was() {
    let world = World::new().await;
    let held = Held::new(&world, true).await;
    let id = world.ledger.find(&LeaseFilter::default(), 1).await.unwrap().remove(0).id;
    let callers = hung_revocations(&world, &id).await;
    assert!(held.end().await.is_err(), "it was revoked while it was being made");
    world.backend.set_mood("b", Mood::Good);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert!(world.objects(None).await.is_empty());
}

#[tokio::test]
async fn many_revocations_of_one_lease_all_hear_that_it_is_gone() {
    let world = World::new().await;
    world.start_worker();
    let id = world.made("b", "x").await;
    let callers = hung_revocations(&world, &id).await;
    world.backend.set_mood("b", Mood::Good);
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(world.backend.most_under_way("b"), 1, "one at a time");
    assert!(world.objects(None).await.is_empty());
}
