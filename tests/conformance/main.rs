//! Recorded conversations with a server that speaks Vault's API, replayed against ours, answer by answer.
//!
//! Each scenario has a server of its own. The steps that do not pass yet are listed by number: here for a scenario with
//! a reason, in `baseline.json` for the others. A step that fails without being listed fails the test; so does a listed
//! step that passes, so that the lists only ever shrink.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and says what it counted"
)]

use std::path::PathBuf;

use harness::{Postgres, Replay, Server};
use serde_json::Value;

/// These steps log in at userpass, look at identities, or unwrap an answer: what this server does not have yet.
const ACL_WITHOUT: &[usize] = &[79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 95, 97, 103];

#[test]
fn kv_v1() {
    whole("kv-v1");
}

#[test]
fn kv_v2() {
    whole("kv-v2");
}

#[test]
fn cubbyhole() {
    whole("cubbyhole");
}

#[test]
fn envelope() {
    whole("envelope");
}

#[test]
fn database() {
    let cluster = Postgres::start();
    let port = cluster.port().to_string();
    let variables = [
        ("pg_host", "127.0.0.1"),
        ("pg_port", port.as_str()),
        ("pg_user", Postgres::ADMIN),
        ("pg_password", cluster.password()),
    ];
    let server = Server::dev();
    judge("database", &Replay::play(&file("database"), &server.api(), &variables), &[]);
    assert_eq!(cluster.roles_like("v-%"), Vec::<String>::new(), "the scenario revokes everything it made");
}

#[test]
fn acl() {
    let server = Server::dev();
    judge("acl", &Replay::play(&file("acl"), &server.api(), &[]), ACL_WITHOUT);
}

#[test]
fn leases() {
    but_for_the_baseline("leases");
}

#[test]
fn tokens() {
    but_for_the_baseline("tokens");
}

#[test]
fn mounts() {
    whole("mounts");
}

#[test]
fn policies() {
    whole("policies");
}

#[test]
fn sys_misc() {
    but_for_the_baseline("sys-misc");
}

#[test]
fn seal() {
    let server = Server::dev();
    let key = server.keys().first().expect("a development server prints its key").clone();
    let replay = Replay::play(&file("seal"), &server.api(), &[("unseal_key", key.as_str())]);
    judge("seal", &replay, &[]);
}

#[test]
fn the_baseline_names_recorded_scenarios_only() {
    for (name, steps) in read_baseline().as_object().expect("a baseline is an object") {
        assert!(file(name).is_file(), "{name} is not recorded");
        assert!(steps.as_array().is_some_and(|s| !s.is_empty()), "{name} passes: strike it out");
    }
}

fn whole(name: &str) {
    let server = Server::dev();
    judge(name, &Replay::play(&file(name), &server.api(), &[]), &[]);
}

fn but_for_the_baseline(name: &str) {
    let server = Server::dev();
    judge(name, &Replay::play(&file(name), &server.api(), &[]), &baseline(name));
}

fn judge(name: &str, replay: &Replay, known: &[usize]) {
    let failed = replay.failed();
    let new: Vec<usize> = failed.iter().copied().filter(|n| !known.contains(n)).collect();
    let stale: Vec<usize> = known.iter().copied().filter(|n| !failed.contains(n)).collect();
    let total = replay.steps.len();
    println!("{name}: {} of {total} steps pass; failing: {failed:?}", total - failed.len());
    assert!(new.is_empty(), "{name}: steps fail:\n{}", replay.report(&new));
    assert!(stale.is_empty(), "{name}: these steps pass now, strike them from the list: {stale:?}");
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conformance").join(format!("{name}.json"))
}

fn baseline(name: &str) -> Vec<usize> {
    let steps = read_baseline()[name].as_array().cloned().unwrap_or_default();
    steps.iter().map(|n| n.as_u64().and_then(|n| usize::try_from(n).ok()).expect("a step's number")).collect()
}

fn read_baseline() -> Value {
    let text = std::fs::read_to_string(file("baseline")).expect("the baseline is there");
    serde_json::from_str(&text).expect("the baseline is JSON")
}
