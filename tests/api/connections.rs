//! How many connections a database sees: as many as its operator configured.

use std::thread::{self, JoinHandle};

use harness::{DatabaseMount, Postgres, Server, wait_until};
use serde_json::{Value, json};

use crate::common::neighbour;

/// Any number, as long as nobody else in the cluster locks it.
const LOCK: i64 = 4711;

struct World {
    mount: DatabaseMount,
    cluster: Postgres,
    watcher: postgres::Client,
    _server: Server,
}

impl World {
    fn new() -> Self {
        let (cluster, server) = (Postgres::start(), Server::dev());
        let mount = DatabaseMount::new(&server.api(), "d", &cluster);
        let stops = format!("SELECT pg_advisory_xact_lock({LOCK})");
        let makes = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}'";
        mount.role_with("stops", json!({ "creation_statements": [stops, makes] }));
        let watcher = cluster.superuser();
        Self { mount, cluster, watcher, _server: server }
    }

    fn limit(&self, limits: Value) {
        self.mount.configure("pg", &self.cluster.url(), &self.cluster, limits).ok();
    }

    /// Sessions that the engine has open; those of them that wait for the lock.
    fn sessions(&mut self) -> (i64, i64) {
        let sql = "SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock') FROM pg_stat_activity \
                   WHERE usename = $1 AND pid <> pg_backend_pid()";
        let row = self.watcher.query_one(sql, &[&Postgres::ADMIN]).unwrap();
        (row.get(0), row.get(1))
    }

    /// So many callers at once, who wait for the lock; their answers' statuses.
    fn callers(&self, count: i64) -> Vec<JoinHandle<u16>> {
        let caller = |_| {
            let (api, path) = (self.mount.api.clone(), format!("{}/creds/stops", self.mount.path));
            thread::spawn(move || api.get(&path).status)
        };
        (0..count).map(caller).collect()
    }

    /// Ten callers at once, none of whom gets on before `most` connections are there. The most that were ever seen.
    fn crowd(&mut self, most: i64) -> i64 {
        let mut holder = self.cluster.superuser();
        holder.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).unwrap();
        let callers = self.callers(10);
        wait_until("all connections to be in use", || (self.sessions().1 == most).then_some(()));
        // The others had the time that these took, and more.
        let mut seen = (0..50).map(|_| self.sessions().0).max().unwrap();
        drop(holder);
        while callers.iter().any(|c| !c.is_finished()) {
            seen = seen.max(self.sessions().0);
        }
        let answers: Vec<_> = callers.into_iter().map(|c| c.join().unwrap()).collect();
        assert_eq!(answers, [200; 10], "they wait for their turn and get on");
        seen
    }
}

#[test]
fn a_database_sees_as_many_as_were_configured() {
    let mut world = World::new();
    assert_eq!(world.crowd(4), 4, "the usual number");
    world.limit(json!({ "max_open_connections": 2 }));
    assert_eq!(world.crowd(2), 2);
    world.limit(json!({ "max_open_connections": "7" }));
    assert_eq!(world.crowd(7), 7);
    world.limit(json!({ "max_idle_connections": 1 }));
    assert_eq!(world.crowd(7), 7, "what is not sent stays");
    wait_until("all but one to be closed", || (world.sessions().0 == 1).then_some(()));
    world.limit(json!({ "max_idle_connections": -1 }));
    world.mount.credential("app");
    wait_until("all to be closed", || (world.sessions().0 == 0).then_some(()));
    world.limit(json!({ "max_idle_connections": 3, "max_connection_lifetime": "1s" }));
    world.mount.credential("app");
    wait_until("it to be too old", || (world.sessions().0 == 0).then_some(()));
}

#[test]
fn what_must_be_taken_back_gets_through_where_every_slot_of_the_mount_waits() {
    const CALLERS: i64 = 40;
    let mut world = World::new();
    world.limit(json!({ "max_open_connections": 60 }));
    world.mount.role("brief", "2s", "2s");
    let is_served = neighbour(&world.mount.api, "kv-beside");
    let revoked = world.mount.credential("app");

    let mut holder = world.cluster.superuser();
    holder.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).unwrap();
    let expiring = world.mount.credential("brief");
    let callers = world.callers(CALLERS);
    // A mount gets as many as its policy and its neighbours leave it: the others wait for one, as far as anybody sees.
    let mut seen = Vec::new();
    let slots = wait_until("every slot to be taken", || {
        seen.push(world.sessions().1);
        let latest = &seen[seen.len().saturating_sub(20)..];
        (latest.len() == 20 && latest.iter().all(|n| *n == latest[0] && *n > 8)).then_some(latest[0])
    });
    assert!(slots < CALLERS, "some wait for a slot");

    is_served();
    let lease = json!({ "lease_id": revoked.lease, "sync": true });
    world.mount.api.put("sys/leases/revoke", lease).expect(204);
    assert!(!world.cluster.has_role(&revoked.user), "revoked");
    wait_until("the lease to expire", || (!world.cluster.has_role(&expiring.user)).then_some(()));
    is_served();
    assert_eq!(world.sessions().1, slots, "they waited all the while");

    drop(holder);
    for caller in callers {
        assert_eq!(caller.join().unwrap(), 200, "they get on");
    }
}

#[test]
fn numbers_that_do_not_read_name_their_field() {
    let world = World::new();
    for (field, value) in [
        ("max_open_connections", json!("many")),
        ("max_idle_connections", json!([1])),
        ("max_connection_lifetime", json!("soon")),
    ] {
        let body = json!({ field: value });
        world.mount.configure("pg", &world.cluster.url(), &world.cluster, body).refused(400, field);
    }
}
