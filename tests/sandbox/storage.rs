//! An engine that reaches for storage that is not its own.

use serde_json::json;

use crate::arena::arena;

/// Keys that are none.
const BAD: [&str; 11] =
    ["../neighbour/greeting", "a/../../b", "..", ".", "/etc/passwd", "a//b", "a/", "", "a<nul>b", "long", "a/./b"];

#[test]
fn bad_keys_end_the_call() {
    arena().mount("keys", "storage");
    for key in BAD {
        for how in ["put", "get"] {
            arena().ends("rule", &format!("keys/attack/{how}"), json!({ "key": key }));
        }
    }
    let listed = arena().attack("keys/attack/scan", json!({ "key": "" })).expect(200);
    assert_eq!(listed["data"]["found"], json!([]), "one of them was stored");
}

#[test]
fn a_mount_sees_its_own_entries_only() {
    arena().mount("mine", "storage");
    arena().mount("yours", "storage");
    arena().attack("mine/attack/put", json!({ "key": "here" })).expect(200);
    let found = |mount: &str, how: &str, key: &str| {
        arena().attack(&format!("{mount}/attack/{how}"), json!({ "key": key })).expect(200)["data"]["found"].clone()
    };
    assert_eq!(found("mine", "get", "here"), true, "the twin: one's own entry is there");
    assert_eq!(found("mine", "list", ""), json!(["here"]));
    assert_eq!(found("yours", "get", "here"), false);
    assert_eq!(found("yours", "list", ""), json!([]));
    assert_eq!(found("yours", "scan", ""), json!([]));
}

#[test]
fn a_hoard_is_refused_and_leaves_nothing() {
    arena().mount("hoard", "storage");
    arena().ends("rule", "hoard/attack/hoard", json!({}));
    let left = arena().attack("hoard/attack/list", json!({ "key": "" })).expect(200);
    assert_eq!(left["data"]["found"], json!([]));
}

#[test]
fn a_write_before_a_trap_never_happened() {
    arena().mount("undone", "storage");
    arena().ends("trap", "undone/attack/put-then-trap", json!({ "key": "half" }));
    let half = arena().attack("undone/attack/get", json!({ "key": "half" })).expect(200);
    assert_eq!(half["data"]["found"], false);
}
