//! Revocations: again until it is gone, by force where somebody says so, and never page by page half done.

use cofferdam_leases::Intent;
use cofferdam_model::Timestamp;
use cofferdam_storage::port::{Batch, LeaseFilter, LeaseState, Op, Physical as _};

use crate::backend::{Creates, Mood};
use crate::world::{World, intent};

#[tokio::test]
async fn a_lost_answer_is_asked_for_again() {
    let world = World::new().await;
    let id = world.made("b", "x").await;
    world.backend.set_mood("b", Mood::Mute);
    assert!(world.ledger.revoke(&id, true).await.is_err());
    assert_eq!(world.state(&id).await, Some(LeaseState::Revoking));
    world.backend.set_mood("b", Mood::Good);
    world.ledger.revoke(&id, true).await.unwrap();
    assert_eq!(world.state(&id).await, None);
    world.ledger.revoke(&id, true).await.unwrap();
}

#[tokio::test]
async fn a_conflict_blocks_and_force_forgets() {
    let world = World::new().await;
    world.start_worker();
    let id = world.made("b", "x").await;
    world.backend.set_mood("b", Mood::Conflict);
    assert!(world.ledger.revoke(&id, true).await.is_err());
    assert_eq!(world.state(&id).await, Some(LeaseState::Blocked));
    let all = LeaseFilter::default();
    assert!(world.ledger.revoke_all(all.clone(), true, false).await.is_err());
    world.ledger.revoke_all(all, true, true).await.unwrap();
    assert_eq!(world.state(&id).await, None);
    assert_eq!(world.backend.objects(), ["x"], "force is an explicit word: the object may stay");
}

/// Leases whose rows were damaged: one does not open, the other opens and does not read.
#[tokio::test]
async fn what_does_not_read_is_listed_and_goes_by_force_only() {
    let world = World::new().await;
    let (shut, blurred) = (world.made("b", "shut").await, world.made("b", "blurred").await);
    let other = world.made("other", "spared").await;
    let mut row = world.store.lease(&shut).await.unwrap().unwrap();
    (row.body, row.version) = (b"damaged".to_vec(), row.version + 1);
    let ops = vec![Op::UpdateLease { expect: row.version - 1, row }];
    world.store.apply(Batch { checks: Vec::new(), ops }).await.unwrap();
    let mut row = world.storage.lease(&blurred).await.unwrap().unwrap();
    (row.body, row.version, row.due_at) = (b"[]".to_vec(), row.version + 1, Some(Timestamp::from_seconds(1)));
    world.applied(vec![Op::UpdateLease { expect: row.version - 1, row }]).await;

    let below = LeaseFilter { prefix: Some("db/creds/b/".to_owned()), ..LeaseFilter::default() };
    for id in [&shut, &blurred] {
        let one = LeaseFilter { prefix: Some(id.clone()), ..LeaseFilter::default() };
        assert!(world.ledger.revoke_all(one, true, false).await.is_err(), "it is not gone, and must not seem so");
    }
    world.start_worker();
    let listed = || async {
        let mut ids: Vec<String> = world.ledger.stuck().await.unwrap().into_iter().map(|l| l.id).collect();
        ids.sort();
        let mut both = [shut.clone(), blurred.clone()];
        both.sort();
        ids == both
    };
    world.until("both are listed", listed).await;
    world.stop_worker();
    assert!(world.ledger.holds(&shut).await.unwrap() && world.ledger.holds(&blurred).await.unwrap());

    world.ledger.revoke_all(below.clone(), true, true).await.unwrap();
    assert!(!world.ledger.holds(&shut).await.unwrap() && !world.ledger.holds(&blurred).await.unwrap());
    assert!(world.ledger.stuck().await.unwrap().is_empty());
    assert_eq!(world.storage.unreadable(), 0);
    assert_eq!(world.backend.released(), 2, "what was kept for them may go");
    assert_eq!(world.state(&other).await, Some(LeaseState::Active), "another path's lease went too");
    world.ledger.revoke_all(below, true, false).await.unwrap();
}

#[tokio::test]
async fn what_ends_by_itself_is_only_forgotten() {
    for how in [Creates::Well, Creates::Mute] {
        let world = World::new().await;
        world.start_worker();
        world.backend.set_mood("b", Mood::Unreachable);
        let intent = Intent { ends_itself: true, ..intent("b", "x") };
        if let Ok(made) = world.ledger.issue(intent, world.make(how)).await {
            world.ledger.revoke(&made.lease.id, true).await.unwrap();
        }
        world.until("the lease is gone", || async { world.objects(None).await.is_empty() }).await;
        assert_eq!(world.backend.asked("b"), 0, "{how:?}");
    }
}

#[tokio::test]
async fn no_answer_costs_no_attempt_and_a_no_does() {
    let world = World::new().await;
    let id = world.made("b", "x").await;
    world.backend.set_mood("b", Mood::Unreachable);
    assert!(world.ledger.revoke(&id, true).await.is_err());
    let lease = world.ledger.get(&id).await.unwrap().unwrap();
    assert_eq!((lease.record.attempts, lease.record.last_error.as_deref()), (0, Some("no answer")));
    // A backend cannot put its revocation off for ever.
    world.backend.set_mood("b", Mood::Refused(u64::MAX));
    assert!(world.ledger.revoke(&id, true).await.is_err());
    world.backend.set_mood("b", Mood::Refused(i64::MAX.unsigned_abs()));
    assert!(world.ledger.revoke(&id, true).await.is_err());
    let lease = world.ledger.get(&id).await.unwrap().unwrap();
    assert_eq!(lease.record.attempts, 2);
    let now = cofferdam_model::Clock::now(&*world.clock);
    assert!(lease.due_at.is_some_and(|due| due <= now.plus_seconds(3_600)));
}

/// Thousands of leases on a dead backend: all condemned, few asked for.
#[tokio::test]
async fn a_prefix_beyond_one_page_on_a_dead_backend() {
    const MANY: usize = 1_203;
    let world = World::new().await;
    many(&world, "dead", MANY).await;
    world.made("good", "survivor").await;
    world.backend.set_mood("dead", Mood::Unreachable);
    let below = LeaseFilter { prefix: Some("db/creds/dead/".to_owned()), ..LeaseFilter::default() };
    assert!(world.ledger.revoke_all(below.clone(), true, false).await.is_err());
    assert_eq!(world.objects(Some(LeaseState::Revoking)).await.len(), MANY);
    assert!(world.backend.asked("dead") <= 16, "asked {} times", world.backend.asked("dead"));
    world.ledger.revoke_all(below, true, true).await.unwrap();
    assert!(world.backend.asked("dead") <= 32);
    assert_eq!(world.objects(None).await, ["survivor"]);
}

#[tokio::test]
async fn a_prefix_beyond_one_page_is_revoked_whole_though_the_client_went() {
    const MANY: usize = 777;
    let world = World::new().await;
    many(&world, "b", MANY).await;
    world.backend.set_mood("b", Mood::Hangs);
    let ledger = world.ledger.clone();
    let below = LeaseFilter { prefix: Some("db/creds/b/".to_owned()), ..LeaseFilter::default() };
    let client = tokio::spawn(async move { ledger.revoke_all(below, true, false).await });
    world.soon("asked", || async { world.backend.asked("b") > 0 }).await;
    client.abort();
    assert_eq!(world.objects(Some(LeaseState::Revoking)).await.len(), MANY, "all of it before the first is asked for");
    world.backend.set_mood("b", Mood::Good);
    world.start_worker();
    world.agrees().await;
    assert!(world.backend.objects().is_empty());
    assert!(world.backend.most_under_way("b") <= 4);
}

/// A row that opens and does not read is left out, hides nothing, and goes by force.
#[tokio::test]
async fn pages_of_rows_that_do_not_read_hide_no_lease() {
    const BAD: usize = 600;
    let world = World::new().await;
    let id = world.made("b", "x").await;
    spoil(&world, "b", BAD, &id).await;
    let good = world.made("z", "good").await;
    let below = LeaseFilter { prefix: Some("db/creds/".to_owned()), ..LeaseFilter::default() };
    let left = world.ledger.revoke_all(below.clone(), true, false).await.unwrap_err();
    assert!(left.to_string().contains("only forgotten"), "what is left is told: {left}");
    assert_eq!(world.state(&good).await, None);
    assert_eq!(world.ledger.count(&below).await.unwrap(), 600);
    world.ledger.revoke_all(below.clone(), true, true).await.unwrap();
    assert_eq!(world.ledger.count(&below).await.unwrap(), 0);
}

/// Rows like the lease's, with a body that is no record.
pub(crate) async fn spoil(world: &World, backend: &str, count: usize, like: &str) {
    let row = world.storage.lease(like).await.unwrap().unwrap();
    let bad = (0..count).map(|n| {
        let mut row = row.clone();
        row.id = format!("db/creds/{backend}/{n:05}");
        row.object_key = None;
        row.due_at = Some(Timestamp(1));
        row.body = b"no record".to_vec();
        Op::InsertLease(row)
    });
    world.applied(bad.collect()).await;
}

pub(crate) async fn many(world: &World, backend: &str, count: usize) {
    use futures::{StreamExt, stream};
    let made = stream::iter(0..count)
        .map(|n| async move { world.issue(backend, &format!("{backend}-{n:05}"), Creates::Well).await })
        .buffer_unordered(64);
    let made: Vec<_> = made.collect().await;
    assert!(made.iter().all(Result::is_ok));
}
