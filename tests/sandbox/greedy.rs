//! An engine that takes what is shared with others: the host's memory, its handles, its stack.

use serde_json::json;

use crate::arena::arena;

/// The attack ends for this reason and no other.
#[track_caller]
fn because(path: &str, reason: &str) {
    let said = arena().attack(path, json!({})).body["errors"].to_string();
    assert!(said.contains(reason), "{path}: {said}");
}

#[test]
fn one_text_many_times_is_not_copied() {
    arena().mount("greedy-aliases", "greedy");
    arena().contained("trap", "greedy-aliases/attack/aliases", 2);
    because("greedy-aliases/attack/aliases", "too much data is being copied");
}

#[test]
fn handles_are_counted() {
    arena().mount("greedy-handles", "greedy");
    arena().contained("trap", "greedy-handles/attack/handles", 2);
    because("greedy-handles/attack/handles", "resource table");
}

#[test]
fn a_stack_has_an_end() {
    arena().mount("greedy-stack", "greedy");
    arena().contained("trap", "greedy-stack/attack/stack", 2);
    arena().api().post("greedy-stack/attack/rest", json!({})).expect(200);
}
