//! An engine that breaks down in one of its exports.

use harness::{Postgres, wait_until};
use serde_json::{Value, json};

use crate::arena::{arena, names_the_culprit};

fn lease(body: &Value) -> &str {
    body["lease_id"].as_str().expect("a lease")
}

fn live(id: &str) -> bool {
    arena().api().put("sys/leases/lookup", json!({ "lease_id": id })).status == 200
}

#[test]
fn in_handle() {
    arena().mount("trap-handle", "trap");
    arena().ends("trap", "trap-handle/attack/handle", json!({}));
    arena().api().get("trap-handle/attack/rest").expect(200);
    let metrics = arena().api().get("sys/metrics?format=prometheus").expect(200);
    let counted = "cofferdam_engine_faults_total{engine=\"trap\",kind=\"trap\",mount=\"trap-handle/\"} 1\n";
    assert!(metrics.as_str().unwrap().contains(counted), "{metrics}");
}

#[test]
fn in_create() {
    arena().mount_with_backend("trap-create", "trap", Postgres::shared().port());
    let ask = || arena().api().get("trap-create/creds/pg/create");
    names_the_culprit(&arena().shows("trap-create/", "call ended: trap: ", ask), "trap-create/");
    arena().forgets("trap-create/creds/pg/create");
}

#[test]
fn in_renew() {
    arena().mount_with_backend("trap-renew", "trap", Postgres::shared().port());
    let made = arena().api().get("trap-renew/creds/pg/renew").expect(200);
    let renew = || arena().api().put("sys/leases/renew", json!({ "lease_id": lease(&made) }));
    let reply = arena().shows("trap-renew/", "call ended: trap: ", renew);
    names_the_culprit(&reply, "trap-renew/");
    assert!(live(lease(&made)), "a renewal that failed ended the lease");
}

#[test]
fn in_revoke() {
    arena().mount_with_backend("trap-revoke", "trap", Postgres::shared().port());
    let made = arena().api().get("trap-revoke/creds/pg/revoke").expect(200);
    let other = arena().api().get("trap-revoke/creds/pg/honest").expect(200);
    let revoke = || arena().api().put("sys/leases/revoke", json!({ "lease_id": lease(&made), "sync": true }));
    let reply = arena().shows("trap-revoke/", "call ended: trap: ", revoke);
    assert!(reply.status >= 400, "the revocation claims to have succeeded: {}", reply.body);
    // Others of the same mount are not held up.
    arena().api().put("sys/leases/revoke", json!({ "lease_id": lease(&other), "sync": true })).expect(204);
    assert!(!live(lease(&other)));
    // It is never forgotten, until somebody says so.
    let kept = arena().api().put("sys/leases/lookup", json!({ "lease_id": lease(&made) })).expect(200);
    assert!(kept["data"]["revoke_error"].to_string().contains("trap-revoke/"), "nobody is told why: {kept}");
    arena().api().put("sys/leases/revoke-force/trap-revoke", json!({})).expect(204);
    wait_until("the forced end", || (!live(lease(&made))).then_some(()));
}
