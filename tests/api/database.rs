//! Connections to a database: checked, verified, and contained when the database is not well.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use harness::{DatabaseMount, Postgres, Reply, Server, wait_at_most, wait_until};
use serde_json::{Value, json};

use crate::common::{neighbour, shared};

const PATIENT: std::time::Duration = std::time::Duration::from_secs(120);

fn is_not_stored(mount: &DatabaseMount, name: &str) {
    mount.api.get(&format!("{}/config/{name}", mount.path)).expect(404);
}

#[test]
fn a_wrong_password_is_refused_and_not_stored() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "d-wrong", cluster);
    let reply = mount.configure("bad", &cluster.url(), cluster, json!({ "password": "wrong" }));
    let said = reply.body.to_string();
    assert!(!said.contains(cluster.password()), "a password in an error: {said}");
    reply.refused(400, "error creating database object");
    is_not_stored(&mount, "bad");
}

#[test]
fn nobody_there_is_refused_and_not_stored() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "d-nobody", cluster);
    let url = "postgresql://{{username}}:{{password}}@127.0.0.1:1/postgres?sslmode=disable";
    mount.configure("bad", url, cluster, json!({})).refused(400, "error creating database object");
    is_not_stored(&mount, "bad");
}

/// Somebody who is no database: says something at once, or once he was spoken to. His port.
fn another_protocol(at_once: bool, words: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            // Who hangs up has heard enough.
            thread::spawn(move || {
                let _ = if at_once { Ok(0) } else { stream.read(&mut [0; 64]) };
                let _ = stream.write_all(words);
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            });
        }
    });
    port
}

#[test]
fn who_speaks_another_protocol_is_told_so_and_leaves_no_lease() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "d-other", cluster);
    for (name, at_once, words) in [
        ("ssh", true, &b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..]),
        ("http", false, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let port = another_protocol(at_once, words);
        let url = format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres?sslmode=disable");
        let tls = url.replace("disable", "require");
        for url in [&url, &tls] {
            mount.configure(name, url, cluster, json!({})).refused(400, "error creating database object");
            is_not_stored(&mount, name);
        }
        // An operator may insist; then each credential fails for itself.
        mount.configure(name, &url, cluster, json!({ "verify_connection": false })).ok();
        mount.role_with(name, json!({ "db_name": name, "creation_statements": ["CREATE ROLE \"{{name}}\""] }));
        mount.creds(name).refused(500, "does not answer as PostgreSQL does");
        assert_eq!(mount.leases(name), Vec::<String>::new(), "nothing was made there");
    }
}

#[test]
fn passwords_are_never_shown() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "d-shown", cluster);
    let shown = mount.api.get("d-shown/config/pg").expect(200).to_string();
    assert!(!shown.contains(cluster.password()), "{shown}");
    let literal = format!(
        "postgresql://{}:{}@127.0.0.1:{}/postgres?sslmode=disable",
        Postgres::ADMIN,
        cluster.password(),
        cluster.port()
    );
    mount.configure("literal", &literal, cluster, json!({})).ok();
    let shown = mount.api.get("d-shown/config/literal").expect(200).to_string();
    assert!(!shown.contains(cluster.password()), "{shown}");
}

#[test]
fn the_certificate_is_verified() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "d-tls", cluster);
    let verified = cluster.url_with("localhost", "sslmode=verify-full");
    let strange = Postgres::start();
    mount.configure("unknown", &verified, cluster, json!({})).refused(400, "error creating database object");
    mount
        .configure("stranger", &verified, cluster, json!({ "tls_ca": strange.authority() }))
        .refused(400, "error creating database object");
    mount.configure("pg", &verified, cluster, json!({ "tls_ca": cluster.authority() })).ok();
    let credential = mount.credential("app");
    assert!(cluster.try_login(&credential.user, &credential.password).is_ok());
    let encrypted: bool = {
        let mut client = cluster.superuser();
        // The server's own last session may be gone; a fresh one is made while we look.
        let api = shared().clone();
        let asker = thread::spawn(move || (0..20).map(|_| api.get("d-tls/creds/app").status).collect::<Vec<_>>());
        let seen = wait_until("a session of the engine", || {
            let sql = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = $1 AND ssl";
            client.query_opt(&format!("{sql} LIMIT 1"), &[&Postgres::ADMIN]).unwrap().map(|row| row.get(0))
        });
        asker.join().unwrap();
        seen
    };
    assert!(encrypted, "the session was not encrypted");
}

#[test]
fn a_moved_address_needs_the_password_again() {
    let cluster = Postgres::shared();
    let other = Postgres::start();
    let mount = DatabaseMount::new(shared(), "d-move", cluster);
    let moved = json!({ "connection_url": other.url(), "allowed_roles": "*" });
    shared().policy("d-move", "path \"d-move/*\" { capabilities = [\"create\", \"update\", \"read\"] }");
    let operator = shared().child(&["d-move"], json!({ "ttl": "1h" }));
    let reply = operator.put("d-move/config/pg", moved);
    assert!(matches!(reply.status, 400 | 403), "the stored password was sent elsewhere: {}", reply.body);
    let shown = mount.api.get("d-move/config/pg").expect(200).to_string();
    assert!(shown.contains(&cluster.port().to_string()), "the refused address was stored: {shown}");
    assert!(!other.log().contains(Postgres::ADMIN), "somebody tried to log in elsewhere");
}

#[test]
fn a_database_that_hangs_holds_nobody_else() {
    let cluster = Postgres::start();
    let server = Server::dev();
    let api = server.api();
    let mount = DatabaseMount::new(&api, "d-hang", &cluster);
    let before = mount.credential("app");
    let greets = neighbour(&api, "d-hang-kv");
    let hang = cluster.hang();
    let mut greeted = 0;
    let replies: Vec<Reply> = thread::scope(|scope| {
        let askers: Vec<_> = (0..8).map(|_| scope.spawn(|| mount.creds("app"))).collect();
        while !askers.iter().all(thread::ScopedJoinHandle::is_finished) {
            greets();
            greeted += 1;
        }
        askers.into_iter().map(|a| a.join().unwrap()).collect()
    });
    assert!(greeted > 0, "the neighbour never got its turn");
    for reply in replies {
        assert!((500..600).contains(&reply.status), "{}: {}", reply.status, reply.body);
    }
    assert_eq!(mount.leases("app").len(), 1, "nothing was made, and nothing is left to be looked for");
    // A revocation that cannot be done is not forgotten.
    let reply = api.put("sys/leases/revoke", json!({ "lease_id": before.lease, "sync": false }));
    reply.expect(202);
    drop(hang);
    wait_at_most(PATIENT, "the revocation to be done after all", || (!cluster.has_role(&before.user)).then_some(()));
    wait_at_most(PATIENT, "no user of a lost request", || cluster.roles_like("v-%").is_empty().then_some(()));
    wait_at_most(PATIENT, "no lease of a lost request", || mount.leases("app").is_empty().then_some(()));
    wait_at_most(PATIENT, "new credentials", || mount.creds("app").is_ok().then_some(()));
}

#[test]
fn a_create_that_was_stuck_leaves_no_user() {
    let cluster = Postgres::start();
    let server = Server::dev();
    let api = server.api();
    let mount = DatabaseMount::new(&api, "d-stuck", &cluster);
    let mut blocker = cluster.superuser();
    let mut lock = blocker.transaction().unwrap();
    // Roles cannot be made while this lasts.
    lock.batch_execute("LOCK TABLE pg_authid IN ACCESS EXCLUSIVE MODE").unwrap();
    let reply: Reply = thread::scope(|scope| {
        let asker = scope.spawn(|| mount.creds("app"));
        asker.join().unwrap()
    });
    assert!((500..600).contains(&reply.status), "{}: {}", reply.status, reply.body);
    lock.rollback().unwrap();
    wait_at_most(PATIENT, "no user", || cluster.roles_like("v-%").is_empty().then_some(()));
    wait_at_most(PATIENT, "no lease", || mount.leases("app").is_empty().then_some(()));
    assert_eq!(cluster.roles_like("v-%"), Vec::<String>::new());
}

#[test]
fn a_role_that_may_not_use_the_connection_gets_nothing() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "d-allowed", cluster);
    mount.configure("pg", &cluster.url(), cluster, json!({ "allowed_roles": "other" })).ok();
    let reply = mount.creds("app");
    assert!(matches!(reply.status, 400 | 500), "{}: {}", reply.status, reply.body);
    assert!(reply.body["errors"].to_string().contains("is not an allowed role"), "{}", reply.body);
    mount.creds("no-such-role").refused(400, "unknown role");
    assert!(mount.leases("app").is_empty());
}

#[test]
fn statements_that_fail_leave_nothing() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "d-fail", cluster);
    let create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}'; SELECT no_such_function()";
    mount.role_with("broken", json!({ "creation_statements": [create] }));
    let before = cluster.roles_like("v-%-broken-%").len();
    let reply = mount.creds("broken");
    assert_eq!(reply.status, 500, "{}", reply.body);
    assert_eq!(cluster.roles_like("v-%-broken-%").len(), before);
    assert!(mount.leases("broken").is_empty());
}

#[test]
fn statements_that_make_somebody_else_leave_nobody() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "d-else", cluster);
    mount.role_with("else", json!({ "creation_statements": ["CREATE ROLE \"x-{{name}}\" LOGIN"] }));
    mount.creds("else").refused(500, "did not create");
    assert!(cluster.roles_like("%-else-%").is_empty());
    assert!(mount.leases("else").is_empty());
}

#[test]
fn a_rotated_root_is_known_to_nobody_else() {
    let cluster = Postgres::start();
    let server = Server::dev();
    let mount = DatabaseMount::new(&server.api(), "d-rotate", &cluster);
    let reply = mount.api.put("d-rotate/rotate-root/pg", json!({}));
    assert!(reply.is_ok(), "{}: {}", reply.status, reply.body);
    assert!(cluster.try_login(Postgres::ADMIN, cluster.password()).is_err(), "the old password still works");
    let credential = mount.credential("app");
    assert!(cluster.try_login(&credential.user, &credential.password).is_ok());
    mount.api.put("sys/leases/revoke", json!({ "lease_id": credential.lease, "sync": true })).expect(204);
    assert!(!cluster.has_role(&credential.user));
}

/// A log-in there proves nothing, so nobody would know the password that is in force.
#[test]
fn a_root_that_any_password_opens_is_not_rotated() {
    let cluster = Postgres::start();
    let server = Server::dev();
    let mount = DatabaseMount::new(&server.api(), "d-trust", &cluster);
    cluster.trust(true);
    let rotate = || mount.api.put("d-trust/rotate-root/pg", json!({}));
    rotate().refused(500, "the server accepts any password");
    mount.credential("app");
    // With the old password in force again, and looked at, the engine gets in: it is the one that is kept.
    let restore = format!("ALTER ROLE {} PASSWORD '{}'", Postgres::ADMIN, cluster.password());
    cluster.superuser().batch_execute(&restore).unwrap();
    cluster.trust(false);
    cluster.end_sessions();
    // The rotation that failed may be taken up meanwhile.
    wait_at_most(PATIENT, "a credential by the old password", || mount.creds("app").is_ok().then_some(()));
    wait_at_most(PATIENT, "the rotation", || rotate().is_ok().then_some(()));
    assert!(cluster.try_login(Postgres::ADMIN, cluster.password()).is_err(), "the old password still works");
    mount.credential("app");
}

#[test]
fn who_has_the_metadata_address_gets_nothing() {
    let mount = DatabaseMount::new(shared(), "d-meta", Postgres::shared());
    for host in ["169.254.169.254:80", "[::ffff:169.254.169.254]:80", "100.100.100.200:80"] {
        let url = format!("postgresql://{{{{username}}}}:{{{{password}}}}@{host}/x?sslmode=disable");
        let reply: Value = mount.configure("meta", &url, Postgres::shared(), json!({})).expect(400);
        assert!(!reply["errors"].as_array().unwrap().is_empty());
    }
    is_not_stored(&mount, "meta");
}
