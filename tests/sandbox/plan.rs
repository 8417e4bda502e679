//! An engine whose plans are malformed, lie, or name what is somebody else's.

use harness::Postgres;
use serde_json::json;

use crate::arena::{arena, names_the_culprit};

fn leases_below(path: &str) -> usize {
    let reply = arena().api().list(&format!("sys/leases/lookup/{path}"));
    reply.body["data"]["keys"].as_array().map_or(0, Vec::len)
}

#[test]
fn malformed_plans_make_no_lease() {
    arena().mount_with_backend("plans", "plan", Postgres::shared().port());
    for how in [
        "unknown-kind",
        "no-object",
        "nul-in-object",
        "long-object",
        "other-backend",
        "unreadable-format",
        "huge-handle",
        "handle-no-json",
        "carry-no-json",
    ] {
        let ask = || arena().api().get(&format!("plans/creds/pg/{how}"));
        let reply = arena().shows("plans/", "call ended: answer: ", ask);
        assert!(reply.status >= 400, "{how} was taken: {}", reply.body);
        assert_eq!(leases_below(&format!("plans/creds/pg/{how}")), 0, "{how} left a lease");
    }
}

#[test]
fn a_call_with_network_may_not_plan() {
    arena().mount_with_backend("plan-reaching", "plan", Postgres::shared().port());
    let ask = || arena().api().get("plan-reaching/reaching/pg/honest");
    let reply = arena().shows("plan-reaching/", "it answered with a plan in a call with network", ask);
    names_the_culprit(&reply, "plan-reaching/");
    assert_eq!(leases_below("plan-reaching/reaching/pg"), 0);
}

#[test]
fn a_wish_for_ever_is_clamped() {
    arena().mount_with_backend("plan-ever", "plan", Postgres::shared().port());
    let lease = arena().unnoticed(|| arena().api().get("plan-ever/creds/pg/for-ever")).expect(200);
    let seconds = lease["lease_duration"].as_u64().unwrap();
    assert!(seconds <= 768 * 3_600, "{seconds} seconds");
}

#[test]
fn what_is_somebody_elses_is_refused_and_left_alone() {
    arena().mount_with_backend("plan-else", "plan", Postgres::shared().port());
    let honest = arena().api().get("plan-else/creds/pg/honest").expect(200);
    let ask = || arena().api().get("plan-else/creds/pg/somebody-elses");
    let reply = arena().shows("plan-else/", "an object that another live lease holds", ask);
    assert!(reply.status >= 400, "two leases over one object: {}", reply.body);
    assert_eq!(leases_below("plan-else/creds/pg/somebody-elses"), 0);
    let id = honest["lease_id"].as_str().unwrap();
    arena().api().put("sys/leases/lookup", json!({ "lease_id": id })).expect(200);
    arena().api().put("sys/leases/revoke", json!({ "lease_id": id, "sync": true })).expect(204);
    arena().api().get("plan-else/creds/pg/honest").expect(200);
}
