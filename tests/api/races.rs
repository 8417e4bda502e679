//! Two things at once, over and over: whoever wins, server and database agree afterwards.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use harness::{Api, Credential, DatabaseMount, Postgres, wait_until};
use serde_json::json;

use crate::common::shared;

/// How often each race is run.
const ROUNDS: usize = 12;

/// By when an overtaken create is undone for certain.
const SWEPT: Duration = Duration::from_secs(40);

/// Waits until each user has its lease and each lease its user. A create that was overtaken is swept at the latest when
/// nothing of it can appear any more.
#[track_caller]
fn agree(cluster: &Postgres, mount: &DatabaseMount, role: &str) {
    let (mut users, mut leases) = (BTreeSet::new(), BTreeSet::new());
    let end = Instant::now() + SWEPT;
    while Instant::now() < end {
        users = cluster.stamped_leases(&format!("v-%-{role}-%"));
        leases = mount.leases(role).into_iter().collect();
        if users == leases {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("users without leases: {:?}; leases without users: {:?}", &users - &leases, &leases - &users);
}

/// A client of its own that asks for credentials until it is refused, and what it got.
fn ask_until_refused(api: &Api, path: &str) -> Vec<Credential> {
    let mut got = Vec::new();
    loop {
        let reply = api.get(path);
        if !reply.is_ok() {
            return got;
        }
        got.push(Credential::of(&reply.body));
    }
}

#[test]
fn a_token_is_revoked_while_it_asks() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "x-token", cluster);
    mount.role("xtoken", "1h", "24h");
    shared().policy("x-token", "path \"x-token/creds/xtoken\" { capabilities = [\"read\"] }");
    for _ in 0..ROUNDS {
        let asker = shared().child(&["x-token"], json!({ "ttl": "1h" }));
        let got = thread::scope(|scope| {
            let asking: Vec<_> =
                (0..3).map(|_| scope.spawn(|| ask_until_refused(&asker, "x-token/creds/xtoken"))).collect();
            shared().post("auth/token/revoke", json!({ "token": asker.token() })).expect(204);
            asking.into_iter().flat_map(|a| a.join().unwrap()).collect::<Vec<_>>()
        });
        for credential in got {
            wait_until("its credentials to end with it", || (!cluster.has_role(&credential.user)).then_some(()));
        }
    }
    wait_until("no user", || cluster.roles_like("v-%-xtoken-%").is_empty().then_some(()));
    wait_until("no lease", || mount.leases("xtoken").is_empty().then_some(()));
}

#[test]
fn a_mount_goes_while_it_is_asked() {
    let cluster = Postgres::shared();
    for round in 0..ROUNDS {
        let path = format!("x-mount-{round}");
        DatabaseMount::new(shared(), &path, cluster).role("xmount", "1h", "24h");
        thread::scope(|scope| {
            let asking: Vec<_> =
                (0..3).map(|_| scope.spawn(|| ask_until_refused(shared(), &format!("{path}/creds/xmount")))).collect();
            let reply = shared().delete(&format!("sys/mounts/{path}"));
            assert!(reply.is_ok(), "{}: {}", reply.status, reply.body);
            for one in asking {
                one.join().unwrap();
            }
        });
        wait_until("no user of a mount that is gone", || cluster.roles_like("v-%-xmount-%").is_empty().then_some(()));
    }
}

#[test]
fn a_prefix_is_revoked_while_it_grows() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "x-prefix", cluster);
    mount.role("xprefix", "1h", "24h");
    for _ in 0..ROUNDS {
        thread::scope(|scope| {
            let asking: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| (0..5).map(|_| mount.creds("xprefix").status).collect::<Vec<_>>()))
                .collect();
            let reply = shared().put("sys/leases/revoke-prefix/x-prefix", json!({ "sync": true }));
            assert!(reply.is_ok(), "{}: {}", reply.status, reply.body);
            for one in asking {
                one.join().unwrap();
            }
        });
    }
    agree(cluster, &mount, "xprefix");
    shared().put("sys/leases/revoke-prefix/x-prefix", json!({ "sync": true })).expect(204);
    assert_eq!(cluster.roles_like("v-%-xprefix-%"), Vec::<String>::new());
}

#[test]
fn a_lease_is_renewed_while_it_is_revoked() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "x-renew", cluster);
    for _ in 0..ROUNDS {
        let credential = mount.credential("app");
        thread::scope(|scope| {
            let renewing = scope
                .spawn(|| while shared().put("sys/leases/renew", json!({ "lease_id": credential.lease })).is_ok() {});
            shared().put("sys/leases/revoke", json!({ "lease_id": credential.lease, "sync": true })).expect(204);
            renewing.join().unwrap();
        });
        assert!(!cluster.has_role(&credential.user), "a renewal brought it back");
        assert!(!credential.is_live(shared()));
    }
}

#[test]
fn one_lease_is_revoked_by_many() {
    let cluster = Postgres::shared();
    let mount = DatabaseMount::new(shared(), "x-many", cluster);
    for _ in 0..ROUNDS {
        let credential = mount.credential("app");
        let body = json!({ "lease_id": credential.lease, "sync": true });
        thread::scope(|scope| {
            let all: Vec<_> = (0..6).map(|_| scope.spawn(|| shared().put("sys/leases/revoke", body.clone()))).collect();
            for reply in all.into_iter().map(|t| t.join().unwrap()) {
                assert!(reply.is_ok(), "{}: {}", reply.status, reply.body);
            }
        });
        assert!(!cluster.has_role(&credential.user));
    }
}

#[test]
fn writers_of_one_key_never_mix() {
    let api = shared();
    api.mount("x-cas", "kv-v2");
    api.post("x-cas/data/one", json!({ "data": { "n": 0 } })).ok();
    let won: usize = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut won = 0;
                    for _ in 0..10 {
                        let now = api.get("x-cas/data/one").ok();
                        let (version, n) = (&now["data"]["metadata"]["version"], now["data"]["data"]["n"].as_u64());
                        let next = json!({ "options": { "cas": version }, "data": { "n": n.unwrap() + 1 } });
                        won += usize::from(api.post("x-cas/data/one", next).is_ok());
                    }
                    won
                })
            })
            .collect();
        writers.into_iter().map(|w| w.join().unwrap()).sum()
    });
    let end = api.get("x-cas/data/one").ok();
    assert_eq!(end["data"]["data"]["n"], won, "a write was lost or counted twice");
}
