//! Power loss: what is acknowledged was synced before, and after a sync that failed nothing more is. SIGKILL cannot tell:
//! what the kernel has survives it.

use harness::{Api, DatabaseMount, Postgres, Server, wait_until};
use serde_json::json;

/// Which sync of a thread fails. The start and the unsealing take fewer.
const FAILING: u32 = 60;

const READS: &str = "path \"kv/*\" { capabilities = [\"read\"] }";

/// How many syncs this takes until it is answered.
fn syncs(server: &Server, ask: impl FnOnce()) -> usize {
    let before = server.syncs().done();
    ask();
    server.syncs().done() - before
}

/// Starts it again, with its syncs written down.
fn traced(server: &mut Server, failing: Option<u32>) {
    server.trace_syncs(failing);
    server.restart();
}

#[test]
fn what_is_acknowledged_is_on_the_disk() {
    let cluster = Postgres::start();
    let mut server = Server::stored();
    let api = server.api();
    api.mount("kv", "kv");
    let mount = DatabaseMount::new(&api, "db", &cluster);
    traced(&mut server, None);
    for n in 0..10 {
        let entry = format!("kv/{n}");
        let write = syncs(&server, || drop(api.put(&entry, json!({ "n": n })).expect(204)));
        assert!(write >= 1, "an entry was acknowledged before it was synced");
        let policy = syncs(&server, || api.policy(&format!("some-{n}"), READS));
        assert!(policy >= 1, "a policy was acknowledged before it was synced");
        let token = syncs(&server, || drop(api.child(&["default"], json!({ "ttl": "1h" }))));
        assert!(token >= 1, "a token was given out before it was synced");
        // Its intent, before the database is asked; and its activation.
        let mut credential = None;
        let issue = syncs(&server, || credential = Some(mount.credential("app")));
        assert!(issue >= 2, "a credential was given out after {issue} syncs");
        let body = json!({ "lease_id": credential.expect("a credential").lease, "sync": true });
        let revoke = syncs(&server, || drop(api.put("sys/leases/revoke", body).ok()));
        assert!(revoke >= 2, "a lease was removed after {revoke} syncs");
        let delete = syncs(&server, || drop(api.delete(&entry).expect(204)));
        assert!(delete >= 1, "a deletion was acknowledged before it was synced");
    }
    // The twin: these syncs were the writes' own. What the server writes by itself is rare.
    api.put("kv/read", json!({ "n": 0 })).expect(204);
    let reads = || (0..20).for_each(|_| drop(api.get("kv/read").expect(200)));
    wait_until("reads without a sync", || (syncs(&server, reads) == 0).then_some(()));
}

#[test]
fn after_a_sync_that_failed_nothing_more_is_written() {
    let mut server = Server::stored();
    let api = server.api();
    api.mount("kv", "kv");
    traced(&mut server, Some(FAILING));
    let write = |n: u64| api.put(&format!("kv/{n}"), json!({ "round": n }));
    let written = (0..2 * u64::from(FAILING)).find(|n| !write(*n).is_ok()).expect("a write whose sync fails");
    assert!(written > 0, "it failed before the first write");
    assert_eq!(server.syncs().failed(), 1);
    // The next sync would succeed, and say nothing of what the kernel threw away after the one that failed.
    write(written).refused(503, "restart");
    api.post("auth/token/create", json!({})).refused(503, "restart");
    api.put("sys/policies/acl/some", json!({ "policy": READS })).refused(503, "restart");
    assert_eq!(server.syncs().failed(), 1, "it was tried again");
    all_there(&api, written);

    server.trace_nothing();
    server.crash_and_recover();
    all_there(&api, written);
    write(written).expect(204);
}

/// Whether so many entries are as they were acknowledged.
#[track_caller]
fn all_there(api: &Api, written: u64) {
    for n in 0..written {
        assert_eq!(api.get(&format!("kv/{n}")).expect(200)["data"]["round"], n);
    }
}
