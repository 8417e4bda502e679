//! An engine that looks for what earlier calls left behind.

use serde_json::json;

use crate::arena::arena;

#[test]
fn every_call_begins_with_nothing() {
    arena().mount("residue-a", "residue");
    arena().mount("residue-b", "residue");
    for round in 0..40 {
        for mount in ["residue-a", "residue-b"] {
            let seen = arena().attack(&format!("{mount}/attack"), json!({})).expect(200)["data"].clone();
            assert_eq!(seen, json!({ "calls_before": 0, "marks": 0, "files": false }), "{mount}, round {round}");
        }
    }
}

#[test]
fn calls_at_once_share_nothing() {
    arena().mount("residue-many", "residue");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let seen = arena().attack("residue-many/attack", json!({})).expect(200)["data"].clone();
                    assert_eq!(seen, json!({ "calls_before": 0, "marks": 0, "files": false }));
                }
            });
        }
    });
}
