//! Killed a hundred times at random moments under load: nothing that was acknowledged is lost, and the database holds
//! exactly the users whose leases live.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and says what it counted"
)]

mod load;
mod power;
mod zombie;

use std::io::Read as _;
use std::thread;
use std::time::Duration;

use harness::{DatabaseMount, Oracle, Postgres, Server, wait_at_most};
use serde_json::json;

use crate::load::Load;

/// How often the server is killed in an ordinary run, and in a long one.
const KILLS: usize = 110;
const KILLS_LONG: usize = 400;
/// The longest that it is left alone, in milliseconds.
const LIFE_MILLIS_MAX: u64 = 250;
/// An undecided create is swept at its `not-after` (30 seconds) and believed gone a minute later; the rest is for a busy
/// machine.
const SETTLED: Duration = Duration::from_secs(150);

#[test]
fn nothing_is_lost_over_a_hundred_kills() {
    survive(KILLS, |_, _| {});
}

#[test]
#[ignore = "takes minutes: `cargo soak` runs it"]
fn nothing_is_lost_over_hundreds_of_kills() {
    survive(KILLS_LONG, |server, cluster| match random(4) {
        // Its sessions end under it.
        0 => cluster.end_sessions(),
        // It stands still for a moment, while the database goes on.
        1 => {
            server.pause();
            thread::sleep(Duration::from_millis(random(LIFE_MILLIS_MAX)));
            server.resume();
        }
        _ => {}
    });
}

/// Kills the server under load, with a disturbance before each kill, and asks whether all agree.
fn survive(kills: usize, disturb: impl Fn(&Server, &Postgres)) {
    let cluster = Postgres::start();
    let mut server = Server::stored();
    let api = server.api();
    api.mount("kv", "kv");
    let mount = DatabaseMount::new(&api, "db", &cluster);

    let load = Load::start(&api, 4);
    for _ in 0..kills {
        thread::sleep(Duration::from_millis(random(LIFE_MILLIS_MAX)));
        disturb(&server, &cluster);
        thread::sleep(Duration::from_millis(random(LIFE_MILLIS_MAX / 5)));
        server.crash_and_recover();
    }
    let promised = load.stop();
    println!(
        "{kills} kills; acknowledged: {} writes, {} credentials kept, {} revoked, {} undecided",
        promised.written.len(),
        promised.kept.len(),
        promised.revoked.len(),
        promised.undecided.len()
    );
    assert!(promised.written.len() > 20 && !promised.kept.is_empty(), "there was no load to speak of");

    let oracle = Oracle { cluster: &cluster, mount: &mount, role: "app" };
    let mut last = String::new();
    let agreed = || match oracle.check(&promised) {
        Ok(()) => Some(()),
        Err(difference) => {
            last = difference;
            None
        }
    };
    let agreed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_at_most(SETTLED, "agreement", agreed)));
    assert!(agreed.is_ok(), "server and database do not agree: {last}\n{}", tail(&server.log()));

    // It still works, and it can take everything back.
    let fresh = mount.credential("app");
    assert!(cluster.try_login(&fresh.user, &fresh.password).is_ok());
    api.put("sys/leases/revoke-prefix/db", json!({ "sync": true })).expect(204);
    assert_eq!(cluster.roles_like("v-%"), Vec::<String>::new(), "users are left");
    assert_eq!(mount.leases("app"), Vec::<String>::new(), "leases are left");
}

/// A number from the kernel, below `end`.
fn random(end: u64) -> u64 {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes)).expect("random bytes");
    u64::from_le_bytes(bytes) % end
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
