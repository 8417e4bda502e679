//! A process that dies before or after any of its writes and calls, and the next one that finds what it left.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_storage::Sqlite;
use cofferdam_storage::port::{LeaseFilter, Physical};
use tokio::runtime::Runtime;

use crate::backend::Creates;
use crate::world::{Lasting, World};

/// Everything that a ledger does, once.
async fn life(world: &World) {
    let kept = world.made("b", "kept").await;
    drop(world.issue("b", "mute", Creates::Mute).await);
    drop(world.issue("b", "refused", Creates::Untouched).await);
    world.ledger.renew(&kept, 60, 3_600, 3_600).await.unwrap();
    let revoked = world.made("b", "revoked").await;
    world.ledger.revoke(&revoked, true).await.unwrap();
    for object in ["c1", "c2", "c3"] {
        world.made("c", object).await;
    }
    let prefix = LeaseFilter { prefix: Some("db/creds/c/".to_owned()), ..LeaseFilter::default() };
    world.ledger.revoke_all(prefix, true, false).await.unwrap();
    let held = world.made("d", "queued").await;
    world.ledger.revoke(&held, false).await.unwrap();
    let stock = world.stocked(&["given", "waiting"]).await;
    let given = world.hand_out(&stock[0]).await.unwrap();
    assert!(world.hand_out(&stock[0]).await.is_none(), "handed out twice");
    world.ledger.revoke(&given, true).await.unwrap();
    world.backend.steps.pass().await;
}

/// A process that dies at the step, and one that recovers. False: it lived through.
fn dies_at(step: u64, dir: Option<&Path>) -> bool {
    // The store's own tasks outlive the process: what was handed to it may still be written, as on a real disk.
    let outer = Runtime::new().unwrap();
    let lasting = Lasting::new();
    let open = || -> Arc<dyn Physical> {
        outer.block_on(async {
            match dir {
                Some(dir) => Arc::new(Sqlite::open(dir).await.unwrap()),
                None => Arc::new(Sqlite::memory().await.unwrap()) as Arc<dyn Physical>,
            }
        })
    };
    let store = open();
    let first = Runtime::new().unwrap();
    let died = first.block_on(async {
        let world = lasting.start(store.clone());
        world.found().await;
        lasting.backend.steps.die_at(step);
        world.start_worker();
        tokio::select! {
            () = life(&world) => false,
            () = lasting.backend.steps.dead.notified() => true,
        }
    });
    first.shutdown_timeout(Duration::from_secs(10));
    lasting.backend.steps.die_at(0);
    let store = if dir.is_some() {
        outer.block_on(store.close());
        drop(store);
        open()
    } else {
        store
    };
    let second = Runtime::new().unwrap();
    second.block_on(async {
        let world = lasting.start(store.clone());
        world.start_worker();
        // A lost answer settles, a queued revocation is done, a pending row falls due.
        world.agrees().await;
        world.stock_agrees().await;
        world.stop_worker();
    });
    second.shutdown_timeout(Duration::from_secs(10));
    outer.block_on(store.close());
    died
}

#[test]
fn nothing_is_left_wherever_a_process_dies() {
    let mut step = 1;
    while dies_at(step, None) {
        step += 1;
    }
    assert!(step > 30, "a life has more steps than {step}");
}

#[test]
fn nothing_is_left_on_disk_either() {
    for step in (1..60).step_by(7) {
        let dir = tempfile::tempdir().unwrap();
        dies_at(step, Some(&dir.path().join("store")));
    }
}
