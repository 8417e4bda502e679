//! A connection that moves: leases stay with the database that they were made on.

use harness::{DatabaseMount, Postgres, wait_until};
use serde_json::json;

use crate::common::shared;

#[test]
fn a_lease_is_revoked_where_it_was_made() {
    let (old, new) = (Postgres::start(), Postgres::start());
    let mount = DatabaseMount::new(shared(), "t-move", &old);
    let before = mount.credential("app");
    mount.configure("pg", &new.url(), &new, json!({})).ok();
    let after = mount.credential("app");
    assert!(old.has_role(&before.user) && new.has_role(&after.user));
    assert!(!new.has_role(&before.user) && !old.has_role(&after.user));
    shared().put("sys/leases/revoke", json!({ "lease_id": before.lease, "sync": true }));
    wait_until("the user on the old database to be dropped", || (!old.has_role(&before.user)).then_some(()));
    assert!(new.has_role(&after.user), "the wrong database was asked");
    shared().put("sys/leases/revoke-prefix/t-move", json!({ "sync": true })).expect(204);
    assert!(!new.has_role(&after.user));
}

#[test]
fn somebody_elses_user_is_never_dropped() {
    let cluster = Postgres::start();
    let mount = DatabaseMount::new(shared(), "t-else", &cluster);
    cluster.superuser().batch_execute("CREATE ROLE \"v-precious\" LOGIN").unwrap();
    // A template without randomness names a user that is there already.
    let fixed = json!({ "username_template": "v-precious" });
    let reply = mount.configure("pg", &cluster.url(), &cluster, fixed);
    if reply.is_ok() {
        let reply = mount.creds("app");
        assert!(reply.status >= 400, "somebody else's user was handed out: {}", reply.body);
        shared().put("sys/leases/revoke-prefix/t-else", json!({ "sync": true }));
    }
    assert!(cluster.has_role("v-precious"), "somebody else's user was dropped");
}
