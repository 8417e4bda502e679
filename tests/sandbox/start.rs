//! A component whose start function never ends: nothing of it runs, not even its description.

use std::fs;
use std::path::Path;

use harness::hostile_engines;
use serde_json::json;

use crate::arena::Arena;
use crate::component::{module, with_one_more};

/// Writes an engine that works, with one more module that runs this when it starts.
fn write(folder: &Path, name: &str, start: &[u8]) {
    let (component, policy) = (hostile_engines().join("cpu.wasm"), hostile_engines().join("cpu.toml"));
    let component = with_one_more(&fs::read(component).unwrap(), &module(start, true));
    fs::write(folder.join(format!("{name}.wasm")), component).unwrap();
    let policy = fs::read_to_string(policy).unwrap().replace("\"cpu\"", &format!("{name:?}"));
    fs::write(folder.join(format!("{name}.toml")), policy).unwrap();
}

#[test]
fn it_cannot_be_mounted() {
    let folder = tempfile::tempdir().unwrap();
    // loop, br 0, end
    write(folder.path(), "looping", &[0x03, 0x40, 0x0c, 0x00, 0x0b]);
    // nop
    write(folder.path(), "ending", &[0x01]);
    let arena = Arena::open(folder.path());
    arena.undescribed("looping", json!({ "type": "looping" }));
    arena.mount("ending", "ending");
    arena.api().get("ending/attack/rest").expect(200);
}
