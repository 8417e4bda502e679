//! Components that cost whoever compiles them too much.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use harness::{binary, hostile_engines};
use serde_json::json;

use crate::arena::Arena;
use crate::component::{around, module};

/// A component with one function that does nothing so many times.
fn long(instructions: usize) -> Vec<u8> {
    // i32.const 1, drop
    around(&module(&[0x41, 0x01, 0x1a].repeat(instructions), false))
}

/// The server's own compiler, with so many seconds and MiB.
fn compile(component: &[u8], seconds: u32, mebibytes: u32) -> Output {
    let mut child = Command::new(binary())
        .args(["compile-component", &seconds.to_string(), &mebibytes.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A compiler that was ended reads no further.
    let _ = child.stdin.take().unwrap().write_all(component);
    child.wait_with_output().unwrap()
}

#[test]
fn the_compiler_has_limits_of_its_own() {
    let small = compile(&long(10), 60, 2_048);
    assert!(small.status.success() && !small.stdout.is_empty(), "the twin: {}", String::from_utf8_lossy(&small.stderr));
    let large = long(4_000_000);
    for (what, seconds, mebibytes) in [("time", 1, 2_048), ("memory", 60, 128)] {
        let ended = compile(&large, seconds, mebibytes);
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{what} without end: {:?}", ended.status);
    }
}

#[test]
fn a_component_that_does_not_compile_is_refused_and_nothing_else_happens() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["memory.wasm", "memory.toml"] {
        fs::copy(hostile_engines().join(file), folder.path().join(file)).unwrap();
    }
    fs::write(folder.path().join("broken.wasm"), b"\0asm\x0d\0\x01\0\x01\x05hello").unwrap();
    let policy = fs::read_to_string(hostile_engines().join("memory.toml")).unwrap();
    fs::write(folder.path().join("broken.toml"), policy.replace("\"memory\"", "\"broken\"")).unwrap();
    let arena = Arena::open(folder.path());
    let said = arena.stays_out("broken", json!({ "type": "broken" }));
    assert!(said.body.to_string().contains("broken"), "{}", said.body);
    arena.mount("compiled", "memory");
}
