//! `cargo demo` walks the whole of its way, and leaves nothing running.

use std::process::Command;

#[test]
fn the_demo_walks_to_its_end() {
    let said = Command::new(env!("CARGO_BIN_EXE_cofferdam-dev")).args(["demo", "--no-wait"]).output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "{out}\n{error}");
    let steps = [
        "vault secrets enable database",
        "vault read database/creds/readonly",
        "the user can log in and read",
        "the lease was renewed",
        "the user is gone from PostgreSQL",
        "three seconds later the user is gone",
        "no user is left in PostgreSQL",
    ];
    let mut rest = &*out;
    for step in steps {
        let found = rest.find(step).unwrap_or_else(|| panic!("{step:?} is not there, or not in its place:\n{out}"));
        rest = &rest[found..];
    }
}
