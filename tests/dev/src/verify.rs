//! `cargo verify`: everything that must hold before a change is taken.

use std::process::Command;

use crate::run::{Outcome, show, succeeds, take};
use crate::{setup, talk};

/// Runs all gates, cheapest first, and stops at the first that fails.
pub(crate) fn verify(with_deny: bool) -> Outcome<()> {
    setup::prepare()?;
    gate("format", &["fmt", "--all", "--check"])?;
    // A workspace of its own, for it compiles to WebAssembly only.
    gate("format of the hostile engines", &["fmt", "--manifest-path", "tests/hostile/Cargo.toml", "--check"])?;
    if with_deny {
        deny()?;
    }
    gate("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    gate("the server", &["build", "--workspace"])?;
    tests()?;
    talk::stage("all gates passed");
    Ok(())
}

/// All tests. The black boxes get the server that was just built: building it alone would build its dependencies again,
/// with fewer features.
fn tests() -> Outcome<()> {
    const ALL: [&str; 2] = ["test", "--workspace"];
    let us = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    talk::stage("tests");
    talk::command(&format!("cargo {}", ALL.join(" ")));
    let server = us.with_file_name("cofferdam");
    show(cargo().args(ALL).env("COFFERDAM_BIN", server).current_dir(setup::checkout()?))
        .map_err(|e| format!("the gate \"tests\" failed: {e}"))
}

fn deny() -> Outcome<()> {
    if !succeeds(Command::new("cargo").args(["deny", "--version"])) {
        talk::stage("installing cargo-deny");
        // No flags of this project for a program that is not part of it; and it is compiled for longer than it runs.
        show(cargo().args(["install", "cargo-deny", "--locked", "--debug"]).env_remove("RUSTFLAGS"))?;
    }
    gate(
        "licences, sources, who may know whom",
        &["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"],
    )?;
    talk::stage("known vulnerabilities");
    let check = take(cargo().args(["deny", "check", "advisories"]).current_dir(setup::checkout()?))?;
    let said = String::from_utf8_lossy(&check.stderr);
    if check.status.success() {
        talk::note("none");
        return Ok(());
    }
    if said.contains("failed to fetch advisory database") {
        talk::note("not checked: the advisory database cannot be reached from here");
        return Ok(());
    }
    eprintln!("{said}");
    Err("a dependency has a known vulnerability".to_owned())
}

fn gate(title: &str, arguments: &[&str]) -> Outcome<()> {
    talk::stage(title);
    talk::command(&format!("cargo {}", arguments.join(" ")));
    show(cargo().args(arguments).current_dir(setup::checkout()?))
        .map_err(|e| format!("the gate \"{title}\" failed: {e}"))
}

/// The cargo that runs us, or the one on the path.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
