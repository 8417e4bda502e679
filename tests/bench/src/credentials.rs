//! PostgreSQL credentials, held against `pgbench` making the same roles on the same cluster.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::{DatabaseMount, Postgres, Server};
use serde_json::json;

use crate::load::{Load, get};
use crate::parts::Native;
use crate::secrets::address;
use crate::table::{Line, Target, pair};

const CLIENTS: usize = 8;
const WINDOW: Duration = Duration::from_secs(2);
const MAKE: &str = "CREATE ROLE \"{name}\" WITH LOGIN PASSWORD 'correct-horse-battery' VALID UNTIL '2099-01-01'";

pub(crate) fn lines(show: &mut dyn FnMut(Line)) {
    // What we promise is synced; so is what the others do.
    let cluster = Postgres::durable();
    let server = Server::stored();
    let mount = DatabaseMount::new(&server.api(), "database", &cluster);
    mount.configure("pg", &cluster.url(), &cluster, json!({ "max_open_connections": CLIENTS })).ok();
    let request = get("database/creds/app", server.root());
    let ours = Load { address: address(&server), clients: CLIENTS, request };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a script");
        path
    };
    let bare = script("bare.sql", for_pgbench(&[MAKE.to_owned()]));
    let fenced = script("fenced.sql", for_pgbench(&trips()));
    let trips = script("trips.sql", trips().join("\n"));
    let url = cluster.url().replace("{{username}}", Postgres::ADMIN).replace("{{password}}", cluster.password());

    let rates = pair(|| ours.run(WINDOW).rate(), || pgbench(&cluster, &bare));
    show(rates.line("PostgreSQL credentials, 8 clients", "pgbench, roles alone", Target::AtLeast(0.75)));
    let rates = pair(|| ours.run(WINDOW).rate(), || pgbench(&cluster, &fenced));
    show(rates.line("the same", "pgbench, stamped and fenced", Target::AtLeast(0.9)));
    let native = Native::new(trips, url);
    let rates = pair(|| native.rate(CLIENTS, WINDOW), || pgbench(&cluster, &fenced));
    show(rates.line("natively, without a server: leases and users", "pgbench, stamped and fenced", Target::None));
    let rates = pair(|| ours.run(WINDOW).rate(), || native.rate(CLIENTS, WINDOW));
    show(rates.line("PostgreSQL credentials, 8 clients", "natively", Target::None));
}

/// What the engine says to the server for one user, in as many round trips.
fn trips() -> [String; 2] {
    let mut begin = String::from("BEGIN; RESET SESSION AUTHORIZATION; RESET ALL; ");
    for (name, value) in [
        ("statement_timeout", "8000"),
        ("lock_timeout", "6000"),
        ("idle_in_transaction_session_timeout", "8000"),
        ("client_min_messages", "warning"),
    ] {
        let _ = write!(begin, "SET LOCAL {name} = {value}; ");
    }
    begin.push_str(
        "SELECT pg_advisory_xact_lock({number}); SELECT c.system_identifier::text, current_database(), \
         pg_is_in_recovery(), r.oid FROM pg_control_system() c \
         CROSS JOIN (SELECT to_regrole('\"{name}\"')::oid AS oid) r",
    );
    let make = format!(
        "{MAKE}; SELECT to_regrole('\"{{name}}\"')::oid, clock_timestamp(); SET LOCAL statement_timeout = 5000; \
         COMMENT ON ROLE \"{{name}}\" IS 'stamp {{number}}'; COMMIT"
    );
    [begin, make]
}

/// The same in pgbench's words.
fn for_pgbench(trips: &[String]) -> String {
    let mut script = String::from("\\set n random(1, 1000000000000)\n");
    for trip in trips {
        let trip = trip.replace("; ", "\\; ").replace("{name}", "b:client_id:n").replace("{number}", ":n");
        script.push_str(&trip);
        script.push_str(";\n");
    }
    script
}

/// Transactions a second.
fn pgbench(cluster: &Postgres, script: &Path) -> f64 {
    let output = Command::new("pgbench")
        .args(["--no-vacuum", "--host=127.0.0.1", &format!("--port={}", cluster.port())])
        .args([&format!("--username={}", Postgres::ADMIN), &format!("--client={CLIENTS}")])
        .args([&format!("--time={}", WINDOW.as_secs()), "--file"])
        .arg(script)
        .arg("postgres")
        .env("PGPASSWORD", cluster.password())
        .output()
        .expect("pgbench runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let rate = said.lines().find_map(|l| l.strip_prefix("tps = "));
    rate.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse().ok()).expect("a rate")
}
