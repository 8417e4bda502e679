//! An engine that breaks down or lies in the rotation of its secret, in its inventory, and in its existence check.

use harness::{Postgres, Reply};
use serde_json::json;

use crate::arena::{arena, names_the_culprit};

/// Gives a backend a secret that says what goes wrong, and rotates it.
fn rotate(mount: &str, how: &str) -> Reply {
    arena().configure(mount, how, Postgres::shared().port()).expect(204);
    arena().attack(&format!("{mount}/secret/{how}/{how}"), json!({})).expect(200);
    arena().attack(&format!("{mount}/rotate/{how}"), json!({}))
}

fn is_rotated(mount: &str, how: &str) -> bool {
    let shown = arena().attack(&format!("{mount}/secret/{how}/show"), json!({})).expect(200);
    assert_eq!(shown["data"]["how"], how, "the secret is another's: {shown}");
    shown["data"]["state"] == "rotated"
}

#[test]
fn before_the_promotion_the_old_secret_stays() {
    arena().mount("turn-steps", "turncoat");
    for (how, kind) in [
        ("trap-propose", "trap"),
        ("broken-propose", "answer"),
        ("huge-propose", "answer"),
        ("trap-apply", "trap"),
        ("broken-apply", "answer"),
        ("trap-prove", "trap"),
    ] {
        let ended = format!("call ended: {kind}: ");
        let reply = arena().shows("turn-steps/", &ended, || rotate("turn-steps", how));
        names_the_culprit(&reply, "turn-steps/");
        assert!(!is_rotated("turn-steps", how), "{how}: nobody has proven the new secret");
    }
    rotate("turn-steps", "endless-apply").refused(500, "again and again");
    assert!(!is_rotated("turn-steps", "endless-apply"));
    assert!(rotate("turn-steps", "honest").is_ok(), "those that do no wrong are rotated");
    assert!(is_rotated("turn-steps", "honest"));
}

#[test]
fn after_the_promotion_the_new_one_stays() {
    arena().mount("turn-retire", "turncoat");
    for (how, kind) in [("trap-retire", "trap"), ("broken-retire", "answer")] {
        let ended = format!("call ended: {kind}: ");
        arena().shows("turn-retire/", &ended, || rotate("turn-retire", how));
        assert!(is_rotated("turn-retire", how), "{how}: the old secret is back");
    }
}

#[test]
fn an_inventory_that_is_none_is_told_of_and_the_others_are_shown() {
    arena().mount("turn-stock", "turncoat");
    for backend in ["trap", "crowded", "broken", "endless", "strange", "honest"] {
        arena().configure("turn-stock", backend, Postgres::shared().port()).expect(204);
    }
    let look = || arena().api().get("sys/inventory/turn-stock").expect(200);
    let shown = arena().shows("turn-stock/", "call ended: trap: ", look);
    let objects: Vec<&str> =
        shown["data"]["objects"].as_array().unwrap().iter().map(|o| o["object"].as_str().unwrap()).collect();
    assert_eq!(objects, ["honest"]);
    let warnings = shown["warnings"].to_string();
    for backend in ["trap", "crowded", "broken", "endless"] {
        assert!(warnings.contains(&format!("{backend}: not looked at")), "{backend}: {warnings}");
    }
}

#[test]
fn in_its_existence_check() {
    arena().mount("turn-exists", "turncoat");
    // Whoever may create and update alike is not asked which it is.
    arena().api().policy("turn-updates", r#"path "turn-exists/*" { capabilities = ["update"] }"#);
    let updates = arena().api().child(&["turn-updates"], json!({}));
    let ask = || updates.post("turn-exists/upsert/trap", json!({}));
    let reply = arena().shows("turn-exists/", "call ended: trap: ", ask);
    names_the_culprit(&reply, "turn-exists/");
    updates.post("turn-exists/upsert/rest", json!({})).expect(200);
}
