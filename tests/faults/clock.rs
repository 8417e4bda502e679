//! The machine's clock is a day wrong.

use harness::{Promised, wait_until};

use crate::scene::Scene;

const HOUR: i64 = 3_600;

#[test]
fn a_clock_that_goes_back_or_ahead_loses_no_lease() {
    let mut scene = Scene::new();
    let cell = scene.cell();
    let kept = Promised { kept: cell.made.clone(), ..Promised::default() };

    scene.server.points().pass(-24 * HOUR);
    scene.agrees(&cell, &kept);
    // The database's clock says that the time for making it is over long since.
    let answer = cell.mount.creds("app");
    assert!(!answer.is_ok(), "made a day too late: {}", answer.body);
    scene.server.kill();
    scene.server.start_again();
    scene.server.unseal();
    scene.agrees(&cell, &kept);

    // An hour behind, and almost a day ahead.
    for _ in 0..2 {
        scene.server.points().pass(23 * HOUR);
        scene.agrees(&cell, &kept);
    }
    cell.mount.credential("app");
    scene.server.points().pass(26 * HOUR);
    scene.wake(&cell);
    wait_until("everything to expire", || scene.cluster.roles_like("v-%").is_empty().then_some(()));
    assert!(scene.oracle(&cell).check(&Promised { revoked: cell.made.clone(), ..Promised::default() }).is_ok());
}
