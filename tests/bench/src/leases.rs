//! Many leases: a restart must not notice a million of them, nor may memory; and ten thousand that expire at once must
//! not be felt by who reads a secret.

use std::time::{Duration, Instant};

use harness::{DatabaseMount, Postgres, Server};

use crate::load::{Load, get};
use crate::parts::fill;
use crate::process::resident;
use crate::secrets::{CLIENTS, WINDOW, address, with_secret};
use crate::table::{Line, PAIRS, Target, median};

const MANY: usize = 1_000_000;
const AT_ONCE: usize = 10_000;
/// Seconds until the million fall due.
const DAY: i64 = 86_400;
/// Seconds in which the quiet server is measured before the ten thousand fall due.
const QUIET: i64 = 12;

pub(crate) fn lines(show: &mut dyn FnMut(Line)) {
    let cluster = Postgres::start();
    show(expiry(&cluster));
    let (few, few_memory) = restarts(&cluster, 0);
    let (many, many_memory) = restarts(&cluster, MANY);
    show(Line {
        what: "restart with 1,000,000 leases",
        detail: format!("{many:.0} ms against {few:.0} ms with ten"),
        figure: many / few,
        target: Target::AtMost(1.2),
    });
    show(Line {
        what: "memory with 1,000,000 leases",
        detail: format!("{many_memory:.0} MiB against {few_memory:.0} MiB with ten, resident"),
        figure: many_memory / few_memory,
        target: Target::AtMost(1.2),
    });
}

/// A stopped server with ten leases.
fn with_leases(cluster: &Postgres) -> (Server, DatabaseMount) {
    let mut server = Server::stored();
    with_secret(&server);
    let mount = DatabaseMount::new(&server.api(), "database", cluster);
    for _ in 0..10 {
        mount.credential("app");
    }
    server.stop();
    (server, mount)
}

/// The slowest of a hundred reads while ten thousand leases expire, against the quiet server before.
fn expiry(cluster: &Postgres) -> Line {
    let (mut server, mount) = with_leases(cluster);
    let begin = fill(&server, AT_ONCE, QUIET..QUIET + 1);
    server.start_again();
    server.unseal();
    let read =
        Load { address: address(&server), clients: CLIENTS, request: get("secret/data/bench/read", server.root()) };
    let p99 = || median((0..3).map(|_| read.run(WINDOW).p99()));
    let quiet = p99();
    let due = Duration::from_secs(u64::try_from(QUIET + 1).unwrap_or(0));
    assert!(begin.elapsed() < due, "the quiet server was not measured in time");
    std::thread::sleep(due.saturating_sub(begin.elapsed()));
    let busy = p99();
    let left = mount.leases("app").len();
    assert!(left > 10, "all had expired before they were felt");
    Line {
        what: "p99 of KV reads, 10,000 leases expire at once",
        detail: format!("{busy:.1} ms against {quiet:.1} ms of the quiet server; {left} were left then"),
        figure: busy / quiet,
        target: Target::AtMost(2.0),
    }
}

/// Milliseconds from the process's start to unsealed, and MiB then, with ten leases and so many copies.
fn restarts(cluster: &Postgres, copies: usize) -> (f64, f64) {
    let (mut server, mount) = with_leases(cluster);
    if copies > 0 {
        fill(&server, copies, DAY..2 * DAY);
    }
    let measured: Vec<(f64, f64)> = (0..PAIRS)
        .map(|_| {
            let start = Instant::now();
            server.start_again();
            server.unseal();
            mount.api.get("database/roles/app").ok();
            let taken = start.elapsed().as_secs_f64() * 1_000.0;
            let memory = resident(server.id());
            server.stop();
            (taken, memory)
        })
        .collect();
    (median(measured.iter().map(|m| m.0)), median(measured.iter().map(|m| m.1)))
}
