//! Components that cost whoever compiles them too much.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use harness::{Server, binary, hostile_engines};

use crate::arena::arena;

/// A component with one function that does nothing so many times.
fn long(instructions: usize) -> Vec<u8> {
    let mut body = vec![0x00];
    for _ in 0..instructions {
        // i32.const 1, drop
        body.extend([0x41, 0x01, 0x1a]);
    }
    body.push(0x0b);
    let mut code = leb(1);
    code.extend(leb(body.len()));
    code.extend(body);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[0x01, 0x60, 0x00, 0x00]);
    section(&mut module, 3, &[0x01, 0x00]);
    section(&mut module, 10, &code);
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    section(&mut component, 1, &module);
    component
}

fn section(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    out.extend(leb(content.len()));
    out.extend(content);
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
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
    let server = Server::dev_with(&[format!("-dev-plugin-dir={}", folder.path().display())]);
    let api = server.api();
    let said = api.post("sys/mounts/broken", serde_json::json!({ "type": "broken" }));
    assert!(!said.is_ok() && said.body.to_string().contains("broken"), "{}", said.body);
    api.mount("compiled", "memory");
    arena().neighbour_is_well();
}
