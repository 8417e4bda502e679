//! Leases of database users: renewed, revoked, expired, clamped; the database always says the same as the server.

use harness::{Credential, DatabaseMount, Postgres, wait_until};
use serde_json::{Value, json};

use crate::common::shared;

/// Seconds until PostgreSQL itself ends a user.
fn valid_for(cluster: &Postgres, user: &str) -> f64 {
    let row = cluster.superuser().query_one(
        "SELECT extract(epoch FROM rolvaliduntil - now())::float8 FROM pg_roles WHERE rolname = $1",
        &[&user],
    );
    row.expect("the user is there").get(0)
}

fn renew(credential: &Credential, increment: &str) -> Value {
    shared().put("sys/leases/renew", json!({ "lease_id": credential.lease, "increment": increment })).expect(200)
}

#[test]
fn a_credential_works_and_is_what_was_asked_for() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-works", cluster);
    let credential = mount.credential("app");
    assert!(credential.lease.starts_with("l-works/creds/app/"), "{}", credential.lease);
    assert!(credential.user.starts_with("v-"), "{}", credential.user);
    assert_eq!(credential.seconds, 3_600);
    let mut client = cluster.try_login(&credential.user, &credential.password).expect("the user logs in");
    let who: String = client.query_one("SELECT current_user::text", &[]).unwrap().get(0);
    assert_eq!(who, credential.user);
    assert!(cluster.try_login(&credential.user, "wrong").is_err(), "any password is taken");
    let found = shared().put("sys/leases/lookup", json!({ "lease_id": credential.lease })).expect(200);
    assert_eq!(found["data"]["renewable"], true);
    assert_eq!(mount.leases("app").len(), 1);
}

#[test]
fn no_two_credentials_are_alike() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-alike", cluster);
    let (a, b) = (mount.credential("app"), mount.credential("app"));
    assert_ne!((a.user, a.password, a.lease), (b.user, b.password, b.lease));
}

#[test]
fn a_renewal_reaches_the_database() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-renew", cluster);
    mount.role("brief", "60s", "24h");
    let credential = mount.credential("brief");
    let before = valid_for(cluster, &credential.user);
    assert!(before < 600.0, "{before}");
    assert_eq!(renew(&credential, "2h")["lease_duration"], 7_200);
    let after = valid_for(cluster, &credential.user);
    assert!(after > 7_000.0, "the lease was renewed, the user was not: {after}");
}

#[test]
fn nothing_outlives_the_roles_maximum() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-max", cluster);
    mount.role("capped", "30s", "60s");
    let credential = mount.credential("capped");
    assert_eq!(credential.seconds, 30);
    let renewed = renew(&credential, "10h");
    assert!(renewed["lease_duration"].as_u64().unwrap() <= 60, "{renewed}");
    assert!(
        renewed["warnings"].to_string().contains("60") || renewed["warnings"].to_string().contains("1m"),
        "{renewed}"
    );
    mount.role("greedy", "10h", "60s");
    assert!(mount.credential("greedy").seconds <= 60);
}

#[test]
fn nothing_outlives_the_mounts_maximum() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-tune", cluster);
    shared().post("sys/mounts/l-tune/tune", json!({ "default_lease_ttl": "40s", "max_lease_ttl": "90s" })).expect(204);
    mount.role("long", "10h", "20h");
    assert!(mount.credential("long").seconds <= 90);
    mount.role_with("plain", json!({}));
    assert_eq!(mount.credential("plain").seconds, 40);
}

#[test]
fn a_revocation_ends_the_user_and_its_sessions() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-revoke", cluster);
    let credential = mount.credential("app");
    let mut session = cluster.try_login(&credential.user, &credential.password).expect("the user logs in");
    session.query("SELECT 1", &[]).expect("the session works");
    shared().put("sys/leases/revoke", json!({ "lease_id": credential.lease, "sync": true })).expect(204);
    assert!(!cluster.has_role(&credential.user), "the user is still there");
    assert!(session.query("SELECT 1", &[]).is_err(), "the session goes on");
    assert!(!credential.is_live(shared()));
    assert!(mount.leases("app").is_empty());
    // Again: nothing to do is no error.
    shared().put("sys/leases/revoke", json!({ "lease_id": credential.lease, "sync": true })).expect(204);
}

#[test]
fn a_queued_revocation_is_done_soon() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-queue", cluster);
    let credential = mount.credential("app");
    shared().put("sys/leases/revoke", json!({ "lease_id": credential.lease, "sync": false })).expect(202);
    wait_until("the user to be dropped", || (!cluster.has_role(&credential.user)).then_some(()));
    wait_until("the lease to be gone", || (!credential.is_live(shared())).then_some(()));
}

#[test]
fn a_prefix_ends_all_below_it_and_nothing_else() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-prefix", cluster);
    mount.role("other", "1h", "24h");
    let doomed: Vec<Credential> = (0..5).map(|_| mount.credential("app")).collect();
    let spared = mount.credential("other");
    shared().put("sys/leases/revoke-prefix/l-prefix/creds/app", json!({ "sync": true })).expect(204);
    for credential in &doomed {
        assert!(!cluster.has_role(&credential.user) && !credential.is_live(shared()), "{} lives", credential.user);
    }
    assert!(cluster.has_role(&spared.user) && spared.is_live(shared()), "a neighbour was ended");
    shared().put("sys/leases/revoke-prefix/l-prefix", json!({ "sync": true })).expect(204);
    assert!(!cluster.has_role(&spared.user));
}

#[test]
fn an_unmount_ends_everything_of_the_mount() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-unmount", cluster);
    let credentials: Vec<Credential> = (0..3).map(|_| mount.credential("app")).collect();
    shared().delete("sys/mounts/l-unmount").expect(204);
    for credential in credentials {
        wait_until("the users to be dropped", || (!cluster.has_role(&credential.user)).then_some(()));
        wait_until("the leases to be gone", || (!credential.is_live(shared())).then_some(()));
    }
}

#[test]
fn what_expires_ends_by_itself() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-expire", cluster);
    mount.role("brief", "2s", "1m");
    let credential = mount.credential("brief");
    assert!(cluster.has_role(&credential.user));
    wait_until("the user to be dropped", || (!cluster.has_role(&credential.user)).then_some(()));
    wait_until("the lease to be gone", || (!credential.is_live(shared())).then_some(()));
    shared().put("sys/leases/renew", json!({ "lease_id": credential.lease })).expect(400);
}

#[test]
fn what_a_user_made_stays_and_does_not_hold_it() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-owned", cluster);
    let create = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; \
                  GRANT CREATE ON SCHEMA public TO \"{{name}}\"";
    mount.role_with("maker", json!({ "creation_statements": [create], "default_ttl": "1h" }));
    let credential = mount.credential("maker");
    let mut maker = cluster.try_login(&credential.user, &credential.password).expect("the user logs in");
    maker.batch_execute("CREATE TABLE owned_by_a_brief_user (n int)").expect("the user makes a table");
    shared().put("sys/leases/revoke", json!({ "lease_id": credential.lease, "sync": true })).expect(204);
    assert!(!cluster.has_role(&credential.user), "the user is still there");
    let owner: String = cluster
        .superuser()
        .query_one("SELECT tableowner::text FROM pg_tables WHERE tablename = 'owned_by_a_brief_user'", &[])
        .expect("the table is still there")
        .get(0);
    assert_eq!(owner, Postgres::ADMIN);
}

#[test]
fn a_role_that_is_gone_does_not_hold_its_leases() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-gone", cluster);
    let credential = mount.credential("app");
    shared().delete("l-gone/roles/app").expect(204);
    shared().put("sys/leases/revoke", json!({ "lease_id": credential.lease, "sync": true })).expect(204);
    assert!(!cluster.has_role(&credential.user), "the user is still there");
}

#[test]
fn a_client_that_hangs_up_changes_nothing() {
    use std::io::Write as _;
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "l-hangup", cluster);
    mount.role("hangup", "1h", "24h");
    let users = || cluster.roles_like("v-%-hangup-%").len();
    let address = shared().base().trim_start_matches("http://").to_owned();
    for _ in 0..20 {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let head = format!(
            "GET /v1/l-hangup/creds/hangup HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {}\r\nConnection: close\r\n\r\n",
            shared().token()
        );
        stream.write_all(head.as_bytes()).unwrap();
    }
    // Whatever was begun is either a lease with its user, or neither.
    wait_until("as many users as leases", || (mount.leases("hangup").len() == users()).then_some(()));
    // Requests may still wait for their turn: what they make later has leases too, and a user without one would stay.
    wait_until("no user", || {
        shared().put("sys/leases/revoke-prefix/l-hangup", json!({ "sync": true })).expect(204);
        (users() == 0).then_some(())
    });
}
