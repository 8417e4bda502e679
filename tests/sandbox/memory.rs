//! An engine that takes all memory.

use serde_json::json;

use crate::arena::arena;

#[test]
fn small_steps_end_at_the_limit() {
    arena().mount("steps", "memory");
    arena().ends("memory", "steps/attack/steps", json!({}));
    arena().api().get("steps/attack/rest").expect(200);
}

#[test]
fn a_leap_beyond_the_limit_is_refused() {
    arena().mount("leaps", "memory");
    arena().ends("memory", "leaps/attack/leaps", json!({}));
    arena().api().get("leaps/attack/rest").expect(200);
}
