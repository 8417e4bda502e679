//! An engine that answers what is no answer.

use serde_json::json;

use crate::arena::arena;

#[test]
fn what_is_no_answer_is_a_fault() {
    arena().mount("garbage", "reply");
    for how in ["no-json", "no-object", "two-values", "deep", "status-0", "status-500", "status-999"] {
        arena().ends("answer", &format!("garbage/attack/{how}"), json!({}));
    }
    arena().api().get("garbage/attack/rest").expect(200);
}

#[test]
fn what_cannot_be_done_is_refused() {
    arena().mount("refused", "reply");
    for how in ["rotate", "keys"] {
        let attack = || arena().attack(&format!("refused/attack/{how}"), json!({}));
        let reply = arena().shows("refused/", "call ended: answer: ", attack);
        assert!(reply.status >= 400, "{how} was taken: {}", reply.body);
    }
}

#[test]
fn a_message_is_one_line() {
    arena().mount("message", "reply");
    let reply = arena().attack("message/attack/fail", json!({}));
    assert_eq!(reply.status, 500);
    let said = reply.body["errors"].to_string();
    assert!(!said.contains("\\u001b"), "a control sequence reached the client: {said}");
}
