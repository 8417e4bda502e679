//! What happens to the server while an operation stands at a point.

use harness::{Promised, wait_until};
use rustix::process::Signal;
use serde_json::json;

use crate::operation::{End, Operation};
use crate::scene::{Cell, SETTLED, Scene};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// SIGKILL; it is started again, later.
    Kill,
    /// SIGSTOP; it goes on when the time for a create is over.
    Pause,
    /// Every connection to the database ends, and none is made before the answer is there.
    Cut,
    /// No commit finds space before the answer is there.
    Full,
    /// The next sync fails, and nothing of that commit is on the disk. The store takes no writes from then on.
    Unsynced,
    /// The same, and all of it is on the disk.
    Unanswered,
}

/// Where an operation is stopped: at the arrival at a point that comes after `passing` others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) operation: Operation,
    pub(crate) point: &'static str,
    pub(crate) passing: usize,
    /// What has become of what the operation is about, if the server is killed there.
    pub(crate) killed: End,
}

/// Lets it happen, and asks whether all agree.
pub(crate) fn play(scene: &mut Scene, row: &Row, action: Action) {
    println!("{action:?} of {:?} at {} after {}", row.operation, row.point, row.passing);
    let cell = scene.cell();
    let points = scene.server.points();
    points.hold(row.point, row.passing);
    let begun = row.operation.begin(scene, &cell);
    points.wait_for(row.point, row.passing + 1);
    match action {
        Action::Kill => scene.server.kill(),
        Action::Pause => {
            scene.server.signal(Signal::STOP);
            points.pass(40);
            points.release(row.point);
            scene.server.signal(Signal::CONT);
        }
        Action::Cut => scene.proxy.cut(),
        Action::Full => points.fail("store.full"),
        Action::Unsynced => points.fail("store.unsynced"),
        Action::Unanswered => points.fail("store.unanswered"),
    }
    scene.server.points().release(row.point);
    let answer = begun.answer();
    scene.proxy.mend();
    for fault in ["store.full", "store.unsynced", "store.unanswered"] {
        scene.server.points().release(fault);
    }
    match action {
        Action::Kill => {
            // Sealing is answered as soon as nobody is served any more.
            assert!(answer.is_err() || row.operation == Operation::Seal, "a killed server answered: {answer:?}");
            // Whoever comes back finds that the time for everything is over.
            scene.server.points().pass(SETTLED);
            scene.server.start_again();
        }
        // It takes no writes any more.
        Action::Unsynced | Action::Unanswered => {
            scene.server.kill();
            scene.server.start_again();
        }
        Action::Pause | Action::Cut | Action::Full => {}
    }
    if scene.server.api().get("sys/seal-status").expect(200)["sealed"] == true {
        scene.server.unseal();
    }
    let end = if action == Action::Kill { row.killed } else { End::Either };
    let promised = row.operation.promised(&cell.made, &answer, end);
    scene.agrees(&cell, &promised);
    if action == Action::Kill {
        after_a_kill(scene, row, &cell, &promised);
    }
    if row.operation == Operation::Rotate {
        // Another rotation ends the one that was left behind.
        let path = format!("{}/rotate-root/pg", cell.mount.path);
        wait_until("a rotation to succeed", || cell.mount.api.post(&path, json!({})).is_ok().then_some(()));
        cell.mount.credential("else");
    }
    if !(row.operation == Operation::Unmount && matches!(action, Action::Cut | Action::Full)) {
        scene.ends(&cell);
    }
    if row.operation == Operation::Rotate {
        scene.reset_password();
    }
}

/// Where nobody was told anything, the point itself says what there must be.
fn after_a_kill(scene: &Scene, row: &Row, cell: &Cell, promised: &Promised) {
    let api = &cell.mount.api;
    match row.operation {
        Operation::Issue => {
            // One that is being taken back is listed until its user is gone.
            let expected = promised.kept.len() + usize::from(row.killed == End::Stay);
            wait_until("credentials that nobody was told of to go, or to stay", || {
                (scene.oracle(cell).users().len() == expected).then_some(())
            });
        }
        Operation::Token => {
            wait_until("the token to be gone", || {
                let reply = api.post("auth/token/lookup", json!({ "token": cell.asker.token() }));
                (reply.status == 403 || reply.status == 404).then_some(())
            });
        }
        Operation::Unmount => {
            let path = format!("sys/mounts/{}", cell.mount.path);
            wait_until("the mount to be gone", || (!api.get(&path).is_ok()).then_some(()));
        }
        _ => {}
    }
}
