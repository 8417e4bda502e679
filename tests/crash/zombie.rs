//! A create that is under way in the database while its server dies, or stands still: its user never comes to stay.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use harness::{DatabaseMount, Postgres, Reply, Server, wait_at_most};
use postgres::{Client, Transaction};

/// An intent is decided at its `not-after`, 30 seconds after it was written; the rest is for a busy machine.
const DECIDED: Duration = Duration::from_secs(90);

/// A cluster, a server, a mount, and one credential so that everything is warm.
fn scene() -> (Postgres, Server, DatabaseMount) {
    let cluster = Postgres::start();
    let server = Server::stored();
    let mount = DatabaseMount::new(&server.api(), "db", &cluster);
    mount.credential("app");
    (cluster, server, mount)
}

/// A caller whose create waits in the database for as long as the transaction, which locks the roles, is open.
fn blocked_create<'a>(
    cluster: &Postgres,
    mount: &DatabaseMount,
    blocker: &'a mut Client,
) -> (Transaction<'a>, JoinHandle<Result<Reply, String>>) {
    let mut lock = blocker.transaction().unwrap();
    lock.batch_execute("LOCK TABLE pg_authid IN SHARE MODE").unwrap();
    let (api, path) = (mount.api.clone(), format!("{}/creds/app", mount.path));
    let asker = thread::spawn(move || api.try_send("GET", &path, None));
    // Not the transaction's own session: within one, PostgreSQL shows the activity as it was first asked for.
    let mut watcher = cluster.superuser();
    wait_at_most(DECIDED, "a create that waits for the lock", || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = $1";
        (watcher.query_one(sql, &[&Postgres::ADMIN]).unwrap().get::<_, i64>(0) > 0).then_some(())
    });
    (lock, asker)
}

/// Exactly one user, with exactly one lease: the one that was made before.
fn only_the_first_is_left(cluster: &Postgres, mount: &DatabaseMount) -> bool {
    cluster.roles_like("v-%").len() == 1 && mount.leases("app").len() == 1
}

#[test]
fn killed_while_the_create_waits() {
    let (cluster, mut server, mount) = scene();
    let mut blocker = cluster.superuser();
    let (lock, asker) = blocked_create(&cluster, &mount, &mut blocker);
    server.kill();
    let answer = asker.join().unwrap();
    assert!(answer.is_err(), "a killed server answered: {answer:?}");
    server.start_again();
    server.unseal();
    lock.commit().unwrap();
    wait_at_most(DECIDED, "the lost create to be swept", || only_the_first_is_left(&cluster, &mount).then_some(()));
    // It works on, and what is made now is not swept with it.
    let fresh = mount.credential("app");
    thread::sleep(Duration::from_secs(35));
    assert!(cluster.has_role(&fresh.user) && fresh.is_live(&mount.api), "a live credential was swept");
    assert_eq!(cluster.roles_like("v-%").len(), 2, "the lost create came back");
}

#[test]
fn stopped_while_the_create_waits() {
    let (cluster, server, mount) = scene();
    let mut blocker = cluster.superuser();
    let (lock, asker) = blocked_create(&cluster, &mount, &mut blocker);
    server.pause();
    lock.commit().unwrap();
    // Past the intent's `not-after`: whatever the database has done by now, the server must not hand it out.
    thread::sleep(Duration::from_secs(33));
    server.resume();
    let answer = asker.join().unwrap();
    assert!(!answer.as_ref().is_ok_and(Reply::is_ok), "a credential from beyond its intent: {answer:?}");
    wait_at_most(DECIDED, "the late create to be swept", || only_the_first_is_left(&cluster, &mount).then_some(()));
}
