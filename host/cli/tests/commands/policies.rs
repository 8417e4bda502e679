//! `policy`.

use serde_json::json;

use crate::support::{Ended, World, prints};

const TEXT: &str = "path \"a\" {\n  capabilities = [\"read\"]\n}\n";

#[test]
fn writes_from_a_file_or_stdin() {
    let world = World::new(&[("PUT /v1/sys/policies/acl/apps", 204, "")]);
    let file = world.file("apps.hcl", TEXT);
    prints(world.run(&format!("policy write apps {}", file.display())), "Success! Uploaded policy: apps\n");
    assert_eq!(world.last().body, json!({"policy": TEXT}));
    let lower = world.run_with("policy write Apps -", "x");
    assert_eq!((lower.out.as_str(), world.last().body), ("Success! Uploaded policy: apps\n", json!({"policy": "x"})));
    assert_eq!(lower.err, "Policy name was converted from \"Apps\" to \"apps\"\n");
    let unreadable = world.run("policy write apps /nowhere/at/all");
    assert_eq!(unreadable.code, 2);
    assert_eq!(unreadable.err, "Error opening policy file: open /nowhere/at/all: no such file or directory\n");
}

#[test]
fn reads_lists_and_deletes() {
    let body = json!({"data": {"name": "apps", "policy": TEXT}}).to_string();
    let world = World::new(&[
        ("GET /v1/sys/policies/acl/apps", 200, &body),
        ("GET /v1/sys/policies/acl?list=true", 200, r#"{"data":{"keys":["default","apps","root"]}}"#),
        ("DELETE /v1/sys/policies/acl/apps", 204, ""),
    ]);
    prints(world.run("policy read Apps"), TEXT);
    let json: serde_json::Value = serde_json::from_str(&world.run("policy read -format=json apps").out).unwrap();
    assert_eq!(json, json!({"policy": TEXT}));
    prints(world.run("policy list"), "default\napps\nroot\n");
    prints(world.run("policy delete apps"), "Success! Deleted policy: apps\n");
    let unknown = world.run("policy read x");
    assert_eq!(unknown, Ended { code: 2, out: String::new(), err: "No policy named: x\n".into() });
}

#[test]
fn formats_in_place() {
    let world = World::new(&[]);
    let file = world.file("p.hcl", "path   \"a\" {\ncapabilities=[\"read\"]\n}");
    let name = file.display().to_string();
    prints(world.run(&format!("policy fmt {name}")), &format!("Success! Formatted policy: {name}\n"));
    assert_eq!(world.home_dir().read_to_string("p.hcl").unwrap(), TEXT);
    for broken in ["path \"a\" {", "path \"a\" { nonsense = 1 }"] {
        let name = world.file("b.hcl", broken).display().to_string();
        assert_eq!(world.run(&format!("policy fmt {name}")).code, 1);
        assert_eq!(world.home_dir().read_to_string("b.hcl").unwrap(), broken);
    }
}
