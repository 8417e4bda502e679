//! An engine and its policy do not fit: the engine does not load, and that is all that happens.

use std::fs;
use std::process::{Command, Stdio};

use harness::{Kept, binary, hostile_engines, wait_until};
use serde_json::json;
use tempfile::TempDir;

use crate::arena::Arena;

/// A folder with one hostile engine and a policy that somebody changed.
fn folder(engine: &str, change: impl Fn(String) -> String) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (component, policy) = (format!("{engine}.wasm"), format!("{engine}.toml"));
    fs::copy(hostile_engines().join(&component), folder.path().join(&component)).unwrap();
    let text = fs::read_to_string(hostile_engines().join(&policy)).unwrap();
    fs::write(folder.path().join(&policy), change(text)).unwrap();
    folder
}

/// The engine cannot be mounted, and the server is as well as ever.
#[track_caller]
fn does_not_load(folder: &TempDir, engine: &str) {
    let arena = Arena::open(folder.path());
    arena.stays_out("x", json!({ "type": engine }));
    arena.api().put("secret/data/a", json!({ "data": { "v": 1 } })).expect(200);
    arena.api().get("secret/data/a").expect(200);
}

#[test]
fn the_twin_loads() {
    let folder = folder("storage", |policy| policy);
    Arena::open(folder.path()).mount("x", "storage");
}

#[test]
fn an_import_without_a_grant_keeps_it_out() {
    let without = |policy: String| policy.replace("    \"cofferdam:engine/storage\",\n", "");
    does_not_load(&folder("storage", without), "storage");
}

#[test]
fn sockets_without_a_grant_keep_it_out() {
    let without = |policy: String| {
        let kept = policy.lines().filter(|l| !l.contains("wasi:sockets/"));
        kept.take_while(|l| !l.starts_with("[[target]]")).collect::<Vec<_>>().join("\n")
    };
    does_not_load(&folder("network", without), "network");
}

#[test]
fn what_is_no_component_keeps_itself_out() {
    let folder = folder("storage", |policy| policy);
    let component = folder.path().join("storage.wasm");
    let whole = fs::read(&component).unwrap();
    fs::write(&component, &whole[..whole.len() / 2]).unwrap();
    does_not_load(&folder, "storage");
    fs::write(&component, b"\0asm\x01\0\0\0").unwrap();
    does_not_load(&folder, "storage");
}

#[test]
fn a_policy_with_an_unknown_key_stops_the_server() {
    // What a reviewer wrote and nobody reads would be a hole.
    let folder = folder("storage", |policy| format!("allow_everything = true\n{policy}"));
    let mut command = Command::new(binary());
    command.args(["server", "-dev", "-dev-no-store-token", "-dev-listen-address=127.0.0.1:0"]);
    command.arg(format!("-dev-plugin-dir={}", folder.path().display()));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut kept = Kept::start(&mut command, None);
    wait_until("the server to refuse the policy", || (!kept.alive()).then_some(()));
}
