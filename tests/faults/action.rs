//! What happens to the server while an operation stands at a point.

use harness::{Promised, Reply, wait_until};
use serde_json::json;

use crate::operation::{End, Operation};
use crate::scene::{Cell, SETTLED, Scene};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// SIGKILL; it is started again, later.
    Kill,
    /// SIGSTOP; when it goes on, its clock says that the time for a create is over. `wire.rs` has a stop in real time.
    Pause,
    /// Every connection to the database ends, and none is made before one was asked for and the answer is there.
    Cut,
    /// No commit finds space before one was tried and the answer is there.
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
    /// What nobody meets who comes from there: all commits are behind it, or all calls to the database.
    pub(crate) unmet: &'static [Action],
}

impl Action {
    /// Lets it happen while a task stands at a point, and lets that one go on.
    pub(crate) fn strike(self, scene: &mut Scene, point: &str) {
        let points = scene.server.points();
        match self {
            Self::Kill => scene.server.kill(),
            Self::Pause => {
                scene.server.pause();
                points.pass(40);
                points.release(point);
                scene.server.resume();
            }
            Self::Cut => scene.proxy.cut(),
            Self::Full => points.fail(FULL),
            Self::Unsynced => points.fail(UNSYNCED),
            Self::Unanswered => points.fail(UNANSWERED),
        }
        scene.server.points().release(point);
    }

    /// Waits until somebody met it: a fault that nobody met has shown nothing.
    #[track_caller]
    pub(crate) fn met(self, scene: &Scene) {
        let points = scene.server.points();
        match self {
            // Whoever stood there was killed, or stood still.
            Self::Kill | Self::Pause => {}
            Self::Cut => {
                wait_until("somebody to look for the database", || (scene.proxy.refused() > 0).then_some(()));
            }
            Self::Full => points.wait_for(FULL, 1),
            Self::Unsynced => points.wait_for(UNSYNCED, 1),
            Self::Unanswered => points.wait_for(UNANSWERED, 1),
        }
    }

    /// It is over, and the server is back and unsealed.
    pub(crate) fn end(self, scene: &mut Scene) {
        scene.proxy.mend();
        for fault in [FULL, UNSYNCED, UNANSWERED] {
            scene.server.points().release(fault);
        }
        match self {
            Self::Kill => {
                // Whoever comes back finds that the time for everything is over.
                scene.server.points().pass(SETTLED);
                scene.server.start_again();
            }
            // It takes no writes any more.
            Self::Unsynced | Self::Unanswered => {
                scene.server.kill();
                scene.server.start_again();
            }
            Self::Pause | Self::Cut | Self::Full => {}
        }
        if scene.server.api().get("sys/seal-status").expect(200)["sealed"] == true {
            scene.server.unseal();
        }
    }
}

/// The store's own points.
const FULL: &str = "store.full";
const UNSYNCED: &str = "store.unsynced";
const UNANSWERED: &str = "store.unanswered";

/// Lets it happen, and asks whether all agree.
pub(crate) fn play(scene: &mut Scene, row: &Row, action: Action) {
    println!("{action:?} of {:?} at {} after {}", row.operation, row.point, row.passing);
    let cell = scene.cell();
    scene.server.points().hold(row.point, row.passing);
    let begun = row.operation.begin(scene, &cell);
    scene.server.points().wait_for(row.point, row.passing + 1);
    action.strike(scene, row.point);
    let answer = begun.answer();
    if action == Action::Kill {
        // Sealing is answered as soon as nobody is served any more.
        assert!(answer.is_err() || row.operation == Operation::Seal, "a killed server answered: {answer:?}");
    } else if row.unmet.contains(&action) {
        assert!(answer.as_ref().is_ok_and(Reply::is_ok), "nothing was left that could fail: {answer:?}");
    } else {
        action.met(scene);
    }
    action.end(scene);
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
        Operation::DeleteRole => {
            let role = api.get(&format!("{}/roles/app", cell.mount.path));
            role.expect(if row.point == "store.commit" { 200 } else { 404 });
        }
        _ => {}
    }
}
