//! PostgreSQL credentials, held against `pgbench` making the same roles on the same cluster.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::{DatabaseMount, Postgres, Server};
use serde_json::json;

use crate::load::{Load, get};
use crate::secrets::address;
use crate::table::{Line, Target, pair};

const CLIENTS: usize = 8;
const WINDOW: Duration = Duration::from_secs(2);
const MAKE: &str =
    "CREATE ROLE \"b:client_id:n\" WITH LOGIN PASSWORD 'correct-horse-battery' VALID UNTIL '2099-01-01';\n";

pub(crate) fn lines(show: &mut dyn FnMut(Line)) {
    let cluster = Postgres::start();
    let server = Server::stored();
    let mount = DatabaseMount::new(&server.api(), "database", &cluster);
    mount.configure("pg", &cluster.url(), &cluster, json!({ "max_open_connections": CLIENTS })).ok();
    let request = get("database/creds/app", server.root());
    let ours = Load { address: address(&server), clients: CLIENTS, request };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bare = folder.path().join("bare.sql");
    std::fs::write(&bare, format!("\\set n random(1, 1000000000000)\n{MAKE}")).expect("a script");
    let fenced = folder.path().join("fenced.sql");
    std::fs::write(&fenced, fenced_script()).expect("a script");

    let rates = pair(|| ours.run(WINDOW).rate(), || pgbench(&cluster, &bare));
    show(rates.line("PostgreSQL credentials, 8 clients", "pgbench, roles alone", Target::AtLeast(0.75)));
    let rates = pair(|| ours.run(WINDOW).rate(), || pgbench(&cluster, &fenced));
    show(rates.line("the same", "pgbench, stamped and fenced", Target::AtLeast(0.9)));
}

/// What the engine says to the server for one user, in as many round trips.
fn fenced_script() -> String {
    let mut script =
        String::from("\\set n random(1, 1000000000000)\nBEGIN\\; RESET SESSION AUTHORIZATION\\; RESET ALL\\; ");
    for (name, value) in [
        ("statement_timeout", "8000"),
        ("lock_timeout", "6000"),
        ("idle_in_transaction_session_timeout", "8000"),
        ("client_min_messages", "warning"),
    ] {
        let _ = write!(script, "SET LOCAL {name} = {value}\\; ");
    }
    script.push_str(
        "SELECT pg_advisory_xact_lock(:n)\\; SELECT c.system_identifier::text, current_database(), \
         pg_is_in_recovery(), r.oid, shobj_description(r.oid, 'pg_authid') FROM pg_control_system() c \
         CROSS JOIN (SELECT to_regrole('\"b:client_id:n\"')::oid AS oid) r;\n",
    );
    script.push_str(&MAKE.replace(";\n", "\\; "));
    script.push_str("SELECT to_regrole('\"b:client_id:n\"')::oid, clock_timestamp();\n");
    script
        .push_str("SET LOCAL statement_timeout = 5000\\; COMMENT ON ROLE \"b:client_id:n\" IS 'stamp:n'\\; COMMIT;\n");
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
