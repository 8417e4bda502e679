//! An engine that takes all memory.

use serde_json::json;

use crate::arena::{arena, names_the_culprit};

#[test]
fn small_steps_end_at_the_limit() {
    arena().mount("steps", "memory");
    names_the_culprit(&arena().attack("steps/attack/steps", json!({})), "steps/");
    arena().neighbour_is_well();
    arena().api().get("steps/attack/rest").expect(200);
}

#[test]
fn a_leap_beyond_the_limit_is_refused() {
    arena().mount("leaps", "memory");
    names_the_culprit(&arena().attack("leaps/attack/leaps", json!({})), "leaps/");
    arena().neighbour_is_well();
    arena().api().get("leaps/attack/rest").expect(200);
}
