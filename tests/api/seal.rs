//! Initialised once, sealed and unsealed by shares, and everything is there again afterwards.

use harness::{DatabaseMount, Kept, Postgres, Server, powerless, wait_until};
use serde_json::json;

#[test]
fn three_of_five_shares_open_it() {
    let mut server = Server::blank();
    let anyone = server.api().anonymous();
    anyone.get("sys/health").expect(501);
    assert_eq!(anyone.get("sys/init").expect(200)["initialized"], false);
    anyone.get("secret/a").refused(503, "Vault is sealed");
    server.init(5, 3);
    assert_eq!(server.keys().len(), 5);
    anyone.put("sys/init", json!({ "secret_shares": 1, "secret_threshold": 1 })).expect(400);
    anyone.get("sys/health").expect(503);
    server.api().get("sys/mounts").refused(503, "ealed");
    for (n, key) in [4, 0].iter().zip([&server.keys()[4], &server.keys()[0]]) {
        let state = anyone.put("sys/unseal", json!({ "key": key })).expect(200);
        assert_eq!(state["sealed"], true, "share {n} alone opened it");
    }
    // The same share again is no progress.
    let state = anyone.put("sys/unseal", json!({ "key": server.keys()[0] })).expect(200);
    assert_eq!((&state["sealed"], &state["progress"]), (&json!(true), &json!(2)));
    let state = anyone.put("sys/unseal", json!({ "key": server.keys()[2] })).expect(200);
    assert_eq!(state["sealed"], false);
    wait_until("the server to be active", || (anyone.get("sys/health").status == 200).then_some(()));
    server.api().get("sys/mounts").expect(200);
}

#[test]
fn two_wrong_shares_do_not() {
    let mut server = Server::blank();
    let other = Server::stored();
    server.init(2, 2);
    let anyone = server.api().anonymous();
    anyone.put("sys/unseal", json!({ "key": server.keys()[0] })).expect(200);
    anyone.put("sys/unseal", json!({ "key": other.keys()[0] })).expect(400);
    assert_eq!(anyone.get("sys/seal-status").expect(200)["sealed"], true);
    anyone.put("sys/unseal", json!({ "key": "neither hex nor base64" })).expect(400);
    // What failed is forgotten: the right shares still open it.
    anyone.put("sys/unseal", json!({ "reset": true })).expect(200);
    server.unseal();
}

#[test]
fn sealed_it_says_nothing() {
    let server = Server::stored();
    let api = server.api();
    api.mount("s-kv", "kv");
    api.put("s-kv/a", json!({ "v": 1 })).expect(204);
    api.put("sys/seal", json!({})).expect(204);
    for (verb, path) in [("GET", "s-kv/a"), ("LIST", "s-kv/"), ("GET", "sys/mounts"), ("GET", "auth/token/lookup-self")]
    {
        api.send(verb, path, None).refused(503, "ealed");
    }
    server.unseal();
    assert_eq!(api.get("s-kv/a").expect(200)["data"]["v"], 1);
}

#[test]
fn a_restart_forgets_nothing() {
    let cluster = Postgres::shared();
    let mut server = Server::stored();
    let api = server.api();
    api.mount("r-kv", "kv");
    api.put("r-kv/a", json!({ "v": "one" })).expect(204);
    api.policy("r-reader", "path \"r-kv/*\" { capabilities = [\"read\"] }");
    let reader = api.child(&["r-reader"], json!({ "ttl": "1h" }));
    let mount = DatabaseMount::new(&api, "r-db", cluster);
    let credential = mount.credential("app");
    server.stop();
    server.start_again();
    api.get("r-kv/a").refused(503, "ealed");
    assert!(cluster.has_role(&credential.user), "stopping it ended a credential");
    server.unseal();
    assert_eq!(reader.get("r-kv/a").expect(200)["data"]["v"], "one");
    reader.put("r-kv/a", json!({ "v": "two" })).refused(403, "permission denied");
    assert!(credential.is_live(&api));
    api.put("sys/leases/revoke", json!({ "lease_id": credential.lease, "sync": true })).expect(204);
    assert!(!cluster.has_role(&credential.user));
    mount.credential("app");
    api.put("sys/leases/revoke-prefix/r-db", json!({ "sync": true })).expect(204);
}

#[test]
fn what_expired_while_it_was_down_ends_after_the_start() {
    let cluster = Postgres::shared();
    let mut server = Server::stored();
    let api = server.api();
    let mount = DatabaseMount::new(&api, "r-exp", cluster);
    mount.role("brief", "2s", "1m");
    let credential = mount.credential("brief");
    server.kill();
    wait_until("the user to lapse in the database", || {
        cluster.try_login(&credential.user, &credential.password).is_err().then_some(())
    });
    assert!(cluster.has_role(&credential.user), "nobody is there to drop it");
    server.start_again();
    server.unseal();
    wait_until("the user to be dropped", || (!cluster.has_role(&credential.user)).then_some(()));
}

/// A core file would hold every key.
#[test]
fn a_server_that_crashes_leaves_no_core_file() {
    let server = Server::dev();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}

/// Whoever runs as the same user could take every key from a dumpable server, by reading or by tracing it. What the
/// kernel asks before it shows a process's environment is what it asks before it shows any of its memory.
#[test]
fn no_other_process_of_its_user_reads_its_memory() {
    let reads = |id: u32| powerless("cat").arg(format!("/proc/{id}/environ")).output().unwrap().status.success();
    let server = Server::powerless();
    let other = Kept::start(powerless("sleep").arg("600"), None);
    wait_until("an ordinary process to be read", || reads(other.id()).then_some(()));
    assert!(!reads(server.id()), "the server's memory can be read");
}
