//! A store that was copied or restored serves what lies in it, and acts on no backend until somebody says that it is
//! the only one.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Api, Cli, DatabaseMount, Postgres, Proxy, Server, wait_until};
use serde_json::{Value, json};

/// The store's own files, without the mark beside them.
fn store(server: &Server) -> Vec<(PathBuf, Vec<u8>)> {
    let data = server.folder().join("data");
    let names = ["cofferdam.db", "cofferdam.db-wal", "cofferdam.db-shm"].map(|name| data.join(name));
    names.into_iter().filter(|path| path.exists()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Puts the store back as it was, and leaves the mark.
fn restore(server: &Server, files: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in store(server) {
        fs::remove_file(path).unwrap();
    }
    for (path, content) in files {
        fs::write(path, content).unwrap();
    }
}

fn mark(server: &Server) -> PathBuf {
    server.folder().join("data/cofferdam.mark")
}

fn fence(api: &Api) -> Value {
    api.get("sys/fence").expect(200)["data"].clone()
}

fn reason(server: &Server) -> String {
    let fence = fence(&server.api());
    assert_eq!(fence["fenced"], fence["reason"] != "", "{fence}");
    fence["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_restored_store_serves_and_touches_no_backend() {
    let cluster = Postgres::shared();
    let mut server = Server::stored();
    let api = server.api();
    api.mount("fence-kv", "kv");
    api.put("fence-kv/a", json!({ "v": "then" })).expect(204);
    let db = DatabaseMount::new(&api, "fence-db", cluster);
    let wire = Proxy::new(cluster);
    db.configure("wired", &wire.url(), cluster, json!({})).ok();
    db.role_with("brief", json!({ "db_name": "wired", "default_ttl": "15s", "max_ttl": "15s" }));
    let (kept, brief) = (db.credential("app"), db.credential("brief"));
    // Until it is mended nobody can end that user, however long things take.
    wire.cut();
    server.kill();
    let backup = store(&server);

    server.start_again();
    server.unseal();
    assert_eq!(fence(&api), json!({ "fenced": false, "reason": "" }), "a crash is no copy");
    let since = db.credential("app");
    server.stop();
    restore(&server, &backup);
    wire.mend();
    server.start_again();
    server.unseal();

    let health = api.anonymous().get("sys/health").expect(200);
    assert_eq!((&health["fenced"], &health["sealed"]), (&json!(true), &json!(false)), "{health}");
    api.anonymous().get("sys/health?fencedcode=555").expect(555);
    assert_eq!(reason(&server), "the store is older than the mark beside it");
    assert!(server.log().contains("FENCED"), "the log does not say so");
    let metrics = api.get("sys/metrics").expect(200).to_string();
    assert!(metrics.contains(r#"{"Labels":{},"Name":"cofferdam_fenced","Value":1.0}"#), "{metrics}");

    // What lies in the store is served, and written.
    assert_eq!(api.get("fence-kv/a").expect(200)["data"]["v"], "then");
    api.put("fence-kv/a", json!({ "v": "now" })).expect(204);
    api.get("fence-db/config/pg").expect(200);
    api.get("fence-db/roles/app").expect(200);
    let child = api.child(&["default"], json!({ "ttl": "1h" }));
    child.get("auth/token/lookup-self").expect(200);

    // Nothing that acts on a backend is.
    api.get("fence-db/creds/app").refused(503, "fenced");
    api.put("sys/leases/renew", json!({ "lease_id": kept.lease })).refused(503, "fenced");
    api.put("sys/leases/revoke", json!({ "lease_id": kept.lease })).refused(503, "fenced");
    api.put("sys/leases/revoke-prefix/fence-db", json!({})).refused(503, "fenced");
    api.put("sys/leases/revoke-force/fence-db", json!({})).refused(503, "fenced");
    api.post("fence-db/rotate-root/pg", json!({})).refused(503, "fenced");
    db.configure("pg", &cluster.url(), cluster, json!({})).refused(503, "fenced");
    api.delete("sys/mounts/fence-db").refused(503, "fenced");
    assert!(kept.is_live(&api), "what was refused has had an effect");
    wait_until("the brief lease to end by the clock", || (!brief.is_live(&api)).then_some(()));
    // Whatever is due has had its turn by the time that a request that comes later was answered.
    let gone = |user: &str| !cluster.has_role(user);
    for user in [&kept.user, &brief.user, &since.user] {
        assert!(!gone(user), "{user} was ended behind the fence");
    }

    api.post("sys/fence", json!({})).refused(400, "only_copy");
    let limited = api.child(&["default"], json!({}));
    limited.post("sys/fence", json!({ "only_copy": true })).expect(403);
    assert!(fence(&api)["fenced"] == true);
    api.post("sys/fence", json!({ "only_copy": true })).expect(204);
    wait_until("what fell due behind the fence to be ended", || gone(&brief.user).then_some(()));
    api.put("sys/leases/revoke", json!({ "lease_id": kept.lease })).expect(204);
    assert!(gone(&kept.user));
    let next = db.credential("app");
    assert!(cluster.has_role(&next.user));
    // The user of the lease that the backup does not know is an orphan, and told.
    let found = api.get("sys/inventory/fence-db?state=orphan").expect(200)["data"]["objects"].clone();
    assert!(found.to_string().contains(&since.user), "{found}");
    server.restart();
    assert_eq!(reason(&server), "", "what was lifted stays so");
}

#[test]
fn a_store_without_its_mark_is_fenced_and_the_command_line_says_so() {
    let mut server = Server::stored();
    server.stop();
    fs::remove_file(mark(&server)).unwrap();
    server.start_again();
    server.unseal();
    let vault = Cli::bare().with("VAULT_ADDR", server.url()).with("VAULT_TOKEN", server.root());
    let status = vault.ok(&["status"]);
    assert!(status.contains("Fenced          the mark that belongs beside the store is missing"), "{status}");
    let shown = vault.ok(&["operator", "fence"]);
    assert!(shown.contains("true") && shown.contains("missing"), "{shown}");
    assert_eq!(vault.ok(&["operator", "fence", "-only-copy"]), "Success! The server acts on its backends.\n");
    assert!(!vault.ok(&["status"]).contains("Fenced"));
    assert!(vault.ok(&["operator", "fence"]).contains("false"));
    for _ in 0..2 {
        server.restart();
        assert_eq!(reason(&server), "");
    }
}

#[test]
fn another_machine_is_seen_where_machines_have_names() {
    let mut server = Server::stored();
    let config = server.folder().join("server.hcl");
    let named = |server: &mut Server, name: &str| {
        let text = fs::read_to_string(&config).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.contains("machine_id")).collect();
        let stanza = format!("storage \"sqlite\" {{\n  machine_id = \"{name}\"");
        fs::write(&config, kept.join("\n").replace("storage \"sqlite\" {", &stanza)).unwrap();
        server.restart();
        reason(server)
    };
    named(&mut server, "one");
    server.api().post("sys/fence", json!({ "only_copy": true })).expect(204);
    assert_eq!(named(&mut server, "one"), "");
    assert_eq!(named(&mut server, "two"), "the store was last used on another machine");
    assert_eq!(named(&mut server, "one"), "", "a fence that nobody lifted changes nothing");
    assert_eq!(named(&mut server, ""), "", "machines are not compared where an operator says so");
}

#[test]
fn a_crash_never_fences() {
    let mut server = Server::stored();
    for _ in 0..5 {
        let before = fs::read_to_string(mark(&server)).unwrap();
        server.crash_and_recover();
        assert_eq!(reason(&server), "");
        assert_ne!(fs::read_to_string(mark(&server)).unwrap(), before, "the mark stands still");
    }
    let private = |path: &Path| std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
    assert_eq!(private(&mark(&server)) & 0o777, 0o600);
}
