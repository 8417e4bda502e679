//! A replica that answers instead of its primary: what it does not see need not be gone.

use harness::wait_until;

use crate::operation::{End, Operation};
use crate::scene::Scene;

#[test]
fn absent_on_a_replica_is_not_gone() {
    let mut scene = Scene::new();
    let replica = scene.cluster.standby();
    // From here on it falls behind.
    let mut session = replica.superuser();
    session.batch_execute("SELECT pg_wal_replay_pause()").unwrap();
    let cell = scene.cell();
    assert!(!replica.has_role(&cell.made[0].user), "the replica is ahead of its primary");

    scene.proxy.aim(&replica);
    let answer = Operation::Revoke.begin(&scene, &cell).answer();
    let told = answer.as_ref().unwrap();
    assert!(!told.is_ok(), "what a replica does not see was said to be gone: {told:?}");
    // It asks again by itself, and is told the same, for as long as it likes.
    scene.server.points().pass(7_200);
    wait_until("the replica to be asked again", || {
        scene.server.log().matches("revocation to be tried again").count().ge(&2).then_some(())
    });
    assert!(scene.cluster.has_role(&cell.made[0].user));

    scene.proxy.aim(&scene.cluster);
    let promised = Operation::Revoke.promised(&cell.made, &answer, End::Go);
    scene.server.points().pass(7_200);
    scene.agrees(&cell, &promised);
    scene.ends(&cell);
}
