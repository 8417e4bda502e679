//! The worker: nobody waits for somebody else's backend, and nothing stops it.

use cofferdam_leases::Orphan;
use cofferdam_model::Clock as _;
use cofferdam_model::engine::Handle;
use cofferdam_storage::port::{LeaseFilter, LeaseState};

use crate::backend::{Creates, Mood};
use crate::revoke::{many, spoil};
use crate::steps::Writes;
use crate::world::World;

async fn condemn(world: &World, backend: &str) {
    let below = LeaseFilter { prefix: Some(format!("db/creds/{backend}/")), ..LeaseFilter::default() };
    world.ledger.revoke_all(below, false, false).await.unwrap();
}

/// Hundreds of leases at the queue's head, on backends that accept and never answer, before any breaker has heard of it.
#[tokio::test]
async fn hung_backends_hold_up_nobody_else() {
    let world = World::new().await;
    world.backend.set_mood("hung", Mood::Hangs);
    many(&world, "hung", 700).await;
    condemn(&world, "hung").await;
    world.clock.advance_seconds(1);
    many(&world, "good", 300).await;
    condemn(&world, "good").await;
    world.start_worker();
    let good_gone = || async { world.backend.objects().iter().all(|o| o.starts_with("hung")) };
    world.soon("the other backend's leases are gone", good_gone).await;
    assert!(world.backend.most_under_way("hung") <= 4);
    assert_eq!(world.objects(None).await.len(), 700);
    world.backend.set_mood("hung", Mood::Good);
    world.agrees().await;
    assert!(world.backend.objects().is_empty());
}

#[tokio::test]
async fn dead_backends_are_left_alone_and_cost_no_writes() {
    let world = World::new().await;
    for (backend, mood) in [("dead", Mood::Unreachable), ("broken", Mood::Fault), ("panics", Mood::Panics)] {
        many(&world, backend, 400).await;
        world.backend.set_mood(backend, mood);
        condemn(&world, backend).await;
    }
    world.clock.advance_seconds(1);
    many(&world, "good", 100).await;
    condemn(&world, "good").await;
    world.start_worker();
    let good_gone = || async { !world.backend.objects().iter().any(|o| o.starts_with("good")) };
    world.soon("the other backend's leases are gone", good_gone).await;
    // The clock stands: whoever failed once is not asked again.
    for backend in ["dead", "broken", "panics"] {
        assert!((1..=4).contains(&world.backend.asked(backend)), "{backend}: {}", world.backend.asked(backend));
        world.backend.set_mood(backend, Mood::Good);
    }
    world.agrees().await;
    assert!(world.backend.objects().is_empty());
}

#[tokio::test]
async fn rows_that_do_not_read_stop_nothing() {
    let world = World::new().await;
    let id = world.made("b", "x").await;
    spoil(&world, "bad", 700, &id).await;
    world.start_worker();
    world.ledger.revoke(&id, false).await.unwrap();
    world.soon("revoked", || async { world.state(&id).await.is_none() }).await;
    assert!(world.backend.objects().is_empty());
}

/// What cannot be written down is not asked for again and again.
#[tokio::test]
async fn a_store_that_takes_no_writes_does_not_make_the_worker_spin() {
    let world = World::new().await;
    let id = world.made("b", "x").await;
    world.ledger.revoke(&id, false).await.unwrap();
    world.store.set_writes(0, Writes::Refused);
    world.start_worker();
    world.soon("asked", || async { world.backend.asked("b") > 0 }).await;
    for _ in 0..40 {
        world.ledger.look();
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(world.backend.asked("b"), 1, "its backend rests while the clock stands");
    world.store.set_writes(0, Writes::Well);
    world.agrees().await;
}

#[tokio::test]
async fn the_worker_sleeps_and_wakes_and_stops() {
    let world = World::new().await;
    let id = world.made("b", "far").await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let worker = tokio::spawn(world.ledger.clone().work(stopped));
    world.ledger.revoke(&id, false).await.unwrap();
    world.soon("woken", || async { world.state(&id).await.is_none() }).await;
    // Whoever could stop it is gone: so is it.
    drop(stop);
    worker.await.unwrap();
    let id = world.made("b", "left").await;
    world.ledger.revoke(&id, false).await.unwrap();
    assert_eq!(world.state(&id).await, Some(LeaseState::Revoking));
}

#[tokio::test]
async fn a_clock_that_leaps_ends_what_is_revoked_and_believes_nothing_earlier() {
    let world = World::new().await;
    let kept = world.made("b", "kept").await;
    let revoked = world.made("b", "revoked").await;
    assert!(world.issue("b", "late", Creates::Zombie).await.is_err());
    world.start_worker();
    world.clock.leap_seconds(200_000_000);
    world.ledger.revoke(&revoked, false).await.unwrap();
    world.soon("revoked", || async { world.state(&revoked).await.is_none() }).await;
    assert_eq!(world.state(&kept).await, Some(LeaseState::Active), "it expired by a leap");
    let settling = || async { world.objects(Some(LeaseState::Settling)).await == ["late"] };
    world.soon("absent, and not believed", settling).await;
    world.backend.release();
    world.clock.advance_seconds(100);
    world.ledger.look();
    world.soon("looked at again", || async { world.backend.objects() == ["kept"] }).await;
}

#[tokio::test]
async fn an_orphan_that_is_ended_while_the_clock_is_ahead_is_due_at_once() {
    let world = World::new().await;
    world.clock.leap_seconds(200_000_000);
    world.backend.set_mood("b", Mood::Hangs);
    let orphan = Orphan {
        path: "db/inventory".to_owned(),
        mount: "m".to_owned(),
        gates: Vec::new(),
        backend: "b".to_owned(),
        generation: 1,
        identity: "db.example:5432".to_owned(),
        kind: "user".to_owned(),
        object: "x".to_owned(),
        handle: Handle { format: 1, data: "{}".to_owned() },
        stamp: format!("{}1", world.ledger.mark("m")),
        digest: "digest".to_owned(),
    };
    let ledger = world.ledger.clone();
    let ended = tokio::spawn(async move { ledger.end(orphan).await });
    world.soon("asked", || async { world.backend.asked("b") > 0 }).await;
    // Whoever kills the server now must not put it off until the clock's time has come.
    let lease = world.ledger.find(&LeaseFilter::default(), 1).await.unwrap().remove(0);
    assert!(lease.due_at.unwrap() <= world.clock.proven());
    world.backend.set_mood("b", Mood::Good);
    ended.await.unwrap().unwrap();
}
