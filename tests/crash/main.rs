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
mod oracle;
mod zombie;

use std::io::Read as _;
use std::thread;
use std::time::Duration;

use harness::{DatabaseMount, Postgres, Server, wait_at_most};
use serde_json::json;

use crate::load::Load;

/// How often the server is killed.
const KILLS: usize = 110;
/// The longest that it is left alone, in milliseconds.
const LIFE_MILLIS_MAX: u64 = 250;
/// An undecided create is swept at its `not-after` (30 seconds) and believed gone a minute later; the rest is for a busy
/// machine.
const SETTLED: Duration = Duration::from_secs(150);

#[test]
fn nothing_is_lost_over_a_hundred_kills() {
    let cluster = Postgres::start();
    let mut server = Server::stored();
    let api = server.api();
    api.mount("kv", "kv");
    let mount = DatabaseMount::new(&api, "db", &cluster);

    let load = Load::start(&api, 4);
    for _ in 0..KILLS {
        thread::sleep(Duration::from_millis(random(LIFE_MILLIS_MAX)));
        server.kill();
        server.start_again();
        server.unseal();
    }
    let promised = load.stop();
    println!(
        "{KILLS} kills; acknowledged: {} writes, {} credentials kept, {} revoked",
        promised.written.len(),
        promised.kept.len(),
        promised.revoked.len()
    );
    assert!(promised.written.len() > 20 && !promised.kept.is_empty(), "there was no load to speak of");

    let mut last = String::new();
    let agreed = || match oracle::check(&cluster, &mount, &promised) {
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
