//! The machine's clock is a day wrong.

use harness::{Promised, wait_until};

use serde_json::json;

use crate::scene::Scene;

const HOUR: i64 = 3_600;

#[test]
fn a_clock_that_goes_back_or_ahead_loses_no_lease() {
    let mut scene = Scene::new();
    let cell = scene.cell();
    let kept = Promised { kept: cell.made.clone(), ..Promised::default() };

    scene.server.points().leap(-24 * HOUR);
    scene.agrees(&cell, &kept);
    // The database's clock says that the time for making it is over long since.
    let answer = cell.mount.creds("app");
    assert!(answer.body["errors"].to_string().contains("the time for making this user is over"), "{}", answer.body);
    scene.server.crash_and_recover();
    scene.agrees(&cell, &kept);

    // An hour behind, and almost a day ahead.
    for _ in 0..2 {
        scene.server.points().leap(23 * HOUR);
        scene.agrees(&cell, &kept);
    }
}

#[test]
fn a_clock_that_leaps_beyond_every_ttl_ends_nothing_but_what_is_revoked() {
    let mut scene = Scene::new();
    let cell = scene.cell();
    let (root, [kept, revoked]) = (&cell.mount.api, cell.made.as_slice()) else { unreachable!("two were made") };
    scene.server.points().leap(72 * HOUR);
    for (round, lease) in [revoked, &cell.mount.credential("app")].into_iter().enumerate() {
        root.put("sys/leases/revoke", json!({ "lease_id": lease.lease, "sync": round == 0 })).ok();
        // The worker took it from its queue, in which what seems to be overdue since yesterday stands before it.
        wait_until("the revocation", || (!scene.cluster.has_role(&lease.user)).then_some(()));
        assert!(scene.cluster.has_role(&kept.user), "it expired by a wrong clock\n{}", scene.log());
    }
    scene.server.points().pass(2 * HOUR);
    scene.wake(&cell);
    wait_until("what expired by a leap that lasted", || (!scene.cluster.has_role(&kept.user)).then_some(()));
}

#[test]
fn time_that_went_by_ends_everything() {
    let mut scene = Scene::new();
    let cell = scene.cell();
    scene.server.points().pass(49 * HOUR);
    scene.wake(&cell);
    wait_until("everything to expire", || scene.cluster.roles_like("v-%").is_empty().then_some(()));
    assert!(scene.oracle(&cell).check(&Promised { revoked: cell.made.clone(), ..Promised::default() }).is_ok());
}
