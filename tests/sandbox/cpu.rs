//! An engine that never comes back.

use std::thread;
use std::time::{Duration, Instant};

use harness::Postgres;
use serde_json::json;

use crate::arena::arena;

#[test]
fn a_spin_ends_with_its_call() {
    arena().mount("spin", "cpu");
    arena().contained("cpu", "spin/attack/spin", 1);
}

#[test]
fn a_sleep_ends_at_the_deadline() {
    arena().mount("sleep", "cpu");
    arena().contained("deadline", "sleep/attack/sleep", 1);
}

#[test]
fn many_held_calls_leave_room_for_the_neighbour() {
    arena().mount("crowd", "cpu");
    arena().contained("deadline", "crowd/attack/sleep", 16);
    arena().contained("cpu", "crowd/attack/spin", 8);
}

#[test]
fn the_mount_itself_lives_on() {
    arena().mount("patient", "cpu");
    arena().contained("cpu", "patient/attack/spin", 1);
    arena().api().get("patient/attack/rest").expect(200);
}

#[test]
fn two_that_want_every_place_leave_one_to_a_neighbour_and_to_a_revocation() {
    for mount in ["flood-a", "flood-b"] {
        arena().mount(mount, "cpu");
    }
    arena().mount_with_backend("flooded", "trap", Postgres::shared().port());
    let made = arena().api().get("flooded/creds/pg/honest").expect(200);
    // More than the server has places, each held for three seconds.
    thread::scope(|scope| {
        scope.spawn(|| arena().contained("deadline", "flood-a/attack/sleep", 50));
        scope.spawn(|| arena().contained("deadline", "flood-b/attack/sleep", 50));
        thread::sleep(Duration::from_millis(500));
        let revoke = json!({ "lease_id": made["lease_id"], "sync": true });
        let asked = Instant::now();
        arena().api().put("sys/leases/revoke", revoke).expect(204);
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(2), "the revocation waited {took:?} for a place");
    });
}
