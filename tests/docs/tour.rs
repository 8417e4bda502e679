//! The README's tour, line by line, in one shell, as a reader would paste it.

use std::process::{Command, Stdio};

use harness::{Cli, Postgres, Server};

use crate::blocks::{blocks, document};

#[test]
fn the_tour_runs_as_printed() {
    let readme = document("README.md");
    let tour = blocks(&readme, "sh", Some("## A tour of five minutes"));
    assert!(tour.len() >= 5, "the tour has its blocks: {}", tour.len());
    let server = Server::dev();
    let cluster = Postgres::start();
    let tools = Cli::of(&server);
    let folder = tempfile::tempdir().expect("a directory for the reader");
    let path = format!("{}:{}", tools.home().display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("set -x\n{}", tour.join("\n"))])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("HOME", folder.path())
        .env("VAULT_ADDR", server.url())
        .env("VAULT_TOKEN", "root")
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", cluster.port().to_string())
        .env("PGUSER", "postgres")
        .env("PGPASSWORD", cluster.password())
        .env("PGDATABASE", "postgres")
        .stdin(Stdio::null())
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&output.stdout);
    let steps = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{steps}\n--- said:\n{said}\n--- server:\n{}", server.log());
    assert!(said.contains("first"), "version 1 was read: {said}");
    assert!(cluster.roles_like("v-%").is_empty(), "nobody is left");
}
