//! An engine that never comes back.

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
