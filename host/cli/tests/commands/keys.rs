//! `kv` and `kv metadata`.

use serde_json::json;

use crate::support::{Ended, World, prints};

const V2: (&str, u16, &str) =
    ("GET /v1/sys/internal/ui/mounts/secret/app", 200, r#"{"data":{"path":"secret/","options":{"version":"2"}}}"#);
const V1: (&str, u16, &str) =
    ("GET /v1/sys/internal/ui/mounts/kv1/app", 200, r#"{"data":{"path":"kv1/","options":null}}"#);
const METADATA: &str = r#"{"created_time":"2026-01-02T03:04:05Z","custom_metadata":null,"deletion_time":"",
    "destroyed":false,"version":1}"#;
const VERSION: &str = r#"{"created_time":"2026-01-02T03:04:05Z","deletion_time":"","destroyed":false}"#;
const METADATA_BLOCK: &str = "======= Metadata =======\nKey                Value\n---                -----\n\
     created_time       2026-01-02T03:04:05Z\ncustom_metadata    <nil>\ndeletion_time      n/a\n\
     destroyed          false\nversion            1\n";

fn stored() -> String {
    format!(r#"{{"data":{{"data":{{"pw":"x1","user":"ada"}},"metadata":{METADATA}}}}}"#)
}

#[test]
fn gets_versioned_values() {
    let body = stored();
    let world =
        World::new(&[V2, ("GET /v1/secret/data/app", 200, &body), ("GET /v1/secret/data/app?version=3", 200, &body)]);
    let want = format!(
        "= Secret Path =\nsecret/data/app\n\n{METADATA_BLOCK}\n==== Data ====\nKey     Value\n---     -----\n\
         pw      x1\nuser    ada\n"
    );
    prints(world.run("kv get secret/app"), &want);
    prints(world.run("kv get -version=3 secret/app"), &want);
    prints(world.run("kv get -field=pw secret/app"), "x1");
    prints(world.run("kv get -field=data -format=json secret/app"), "{\n  \"pw\": \"x1\",\n  \"user\": \"ada\"\n}");
    assert_eq!(world.run("kv get -field=nope secret/app").code, 1);
}

#[test]
fn a_mount_flag_takes_the_key_alone() {
    let body = stored();
    let world = World::new(&[
        ("GET /v1/sys/internal/ui/mounts/secret", 200, V2.2),
        ("GET /v1/secret/data/app", 200, &body),
        ("GET /v1/secret/metadata?list=true", 200, r#"{"data":{"keys":["app"]}}"#),
    ]);
    prints(world.run("kv get -mount=secret -field=user app"), "ada");
    prints(world.run("kv list -mount=secret/"), "Keys\n----\napp\n");
    assert_eq!(world.run("kv list").err, "Not enough arguments (expected 1, got 0)\n");
}

#[test]
fn gets_plain_values() {
    let world = World::new(&[V1, ("GET /v1/kv1/app", 200, r#"{"lease_duration":2764800,"data":{"x":"y"}}"#)]);
    prints(world.run("kv get kv1/app"), "== Data ==\nKey    Value\n---    -----\nx      y\n");
    prints(world.run("kv get -field=x kv1/app"), "y");
}

#[test]
fn a_deleted_version_shows_its_metadata() {
    let deleted = format!(r#"{{"data":{{"data":null,"metadata":{METADATA}}}}}"#);
    let world = World::new(&[V2, ("GET /v1/secret/data/app", 404, &deleted)]);
    let shown = world.run("kv get secret/app");
    assert_eq!((shown.code, shown.out), (0, format!("= Secret Path =\nsecret/data/app\n\n{METADATA_BLOCK}\n")));
    let field = world.run("kv get -field=pw secret/app");
    assert_eq!(field, Ended { code: 2, out: String::new(), err: "No data found at secret/data/app\n".into() });
}

#[test]
fn an_absent_key_and_a_forbidden_mount() {
    let refusal = r#"{"errors":["preflight capability check returned 403, please ensure client's policies grant access to path \"other/\""]}"#;
    let world = World::new(&[V2, ("GET /v1/sys/internal/ui/mounts/other/a", 403, refusal)]);
    let absent = world.run("kv get secret/app");
    assert_eq!(absent, Ended { code: 2, out: String::new(), err: "No value found at secret/data/app\n".into() });
    let forbidden = world.run("kv get other/a");
    assert!(forbidden.code == 2 && forbidden.err.contains("preflight capability check returned 403"), "{forbidden:?}");
}

#[test]
fn puts() {
    let answer = format!(r#"{{"data":{METADATA}}}"#);
    let world = World::new(&[V2, V1, ("PUT /v1/secret/data/app", 200, &answer), ("PUT /v1/kv1/app", 204, "")]);
    let want = format!("= Secret Path =\nsecret/data/app\n\n{METADATA_BLOCK}");
    prints(world.run("kv put secret/app pw=x1 user=ada"), &want);
    assert_eq!(world.last().body, json!({"data": {"pw": "x1", "user": "ada"}, "options": {}}));
    prints(world.run("kv put -cas=0 secret/app pw=x1"), &want);
    assert_eq!(world.last().body["options"], json!({"cas": 0}));
    prints(world.run("kv put -field=version secret/app pw=x1"), "1");
    prints(world.run("kv put kv1/app x=y"), "Success! Data written to: kv1/app\n");
    assert_eq!(world.last().body, json!({"x": "y"}));
}

#[test]
fn patches_or_reads_and_writes() {
    let answer = format!(r#"{{"data":{METADATA}}}"#);
    let body = stored();
    let world = World::new(&[
        V2,
        ("PATCH /v1/secret/data/app", 403, r#"{"errors":["permission denied"]}"#),
        ("GET /v1/secret/data/app", 200, &body),
        ("PUT /v1/secret/data/app", 200, &answer),
    ]);
    let patched = world.run("kv patch -remove-data=user secret/app pw=x2");
    assert_eq!(patched.code, 0);
    assert!(patched.err.contains("\"patch\" capability"));
    assert_eq!(world.last().body, json!({"data": {"pw": "x2"}, "options": {"cas": 1}}));
    assert_eq!(world.run("kv patch -method=patch secret/app pw=x2").code, 2);
    assert_eq!(world.last().body, json!({"data": {"pw": "x2"}, "options": {}}));
    assert_eq!(
        world.run("kv patch -method=x secret/app pw=x2").err,
        "Unsupported method provided to -method flag: x\n"
    );
}

#[test]
fn rolls_back_with_check_and_set() {
    let body = stored();
    let answer = format!(r#"{{"data":{METADATA}}}"#);
    let gone = body.replace(r#""deletion_time":"""#, r#""deletion_time":"2026-01-02T03:04:05Z""#);
    let world = World::new(&[
        V2,
        ("GET /v1/secret/data/app", 200, &body),
        ("GET /v1/secret/data/app?version=1", 200, &body),
        ("GET /v1/secret/data/app?version=2", 404, &gone),
        ("PUT /v1/secret/data/app", 200, &answer),
    ]);
    prints(world.run("kv rollback -version=1 secret/app"), METADATA_BLOCK.split_once('\n').unwrap().1);
    assert_eq!(world.last().body, json!({"data": {"pw": "x1", "user": "ada"}, "options": {"cas": 1}}));
    assert_eq!(
        world.run("kv rollback -version=2 secret/app").err,
        "Cannot roll back to a version that has been deleted\n"
    );
    assert_eq!(world.run("kv rollback secret/app").err, "Version flag must be specified\n");
}

#[test]
fn versions_are_deleted_restored_and_destroyed() {
    let world = World::new(&[
        V2,
        V1,
        ("DELETE /v1/secret/data/app", 204, ""),
        ("DELETE /v1/kv1/app", 204, ""),
        ("PUT /v1/secret/delete/app", 204, ""),
        ("PUT /v1/secret/undelete/app", 204, ""),
        ("PUT /v1/secret/destroy/app", 204, ""),
    ]);
    prints(world.run("kv delete secret/app"), "Success! Data deleted (if it existed) at: secret/data/app\n");
    prints(
        world.run("kv delete -versions=1,2 secret/app"),
        "Success! Data deleted (if it existed) at: secret/data/app\n",
    );
    assert_eq!(
        (world.last().line.as_str(), world.last().body),
        ("PUT /v1/secret/delete/app", json!({"versions": [1, 2]}))
    );
    prints(world.run("kv undelete -versions=1 secret/app"), "Success! Data written to: secret/undelete/app\n");
    prints(world.run("kv destroy -versions=1 secret/app"), "Success! Data written to: secret/destroy/app\n");
    prints(world.run("kv delete kv1/app"), "Success! Data deleted (if it existed) at: kv1/app\n");
    assert_eq!(world.run("kv destroy secret/app").code, 1);
    assert_eq!(world.run("kv undelete -versions=1 kv1/app").err, "Undelete not supported on KV Version 1\n");
}

#[test]
fn metadata() {
    let body = format!(
        r#"{{"data":{{"cas_required":false,"created_time":"2026-01-02T03:04:05Z","current_version":2,
        "custom_metadata":null,"delete_version_after":"0s","max_versions":0,"oldest_version":0,
        "updated_time":"2026-01-02T03:04:05Z","versions":{{"10":{VERSION},"1":{VERSION}}}}}}}"#
    );
    let world = World::new(&[
        V2,
        V1,
        ("GET /v1/secret/metadata/app", 200, &body),
        ("PUT /v1/secret/metadata/app", 204, ""),
        ("PATCH /v1/secret/metadata/app", 204, ""),
        ("DELETE /v1/secret/metadata/app", 204, ""),
    ]);
    let shown = world.run("kv metadata get secret/app").out;
    let start = "== Metadata Path ==\nsecret/metadata/app\n\n========== Metadata ==========\n\
                 Key                     Value\n---                     -----\ncas_required            false\n";
    assert!(shown.starts_with(start), "{shown}");
    let rows = "Key              Value\n---              -----\ncreated_time     2026-01-02T03:04:05Z\n\
                deletion_time    n/a\ndestroyed        false\n";
    let end = format!("\n====== Version 1 ======\n{rows}\n===== Version 10 =====\n{rows}");
    assert!(shown.ends_with(&end), "{shown}");
    prints(
        world.run(
            "kv metadata put -max-versions=5 -cas-required -delete-version-after=90 -custom-metadata=a=b secret/app",
        ),
        "Success! Data written to: secret/metadata/app\n",
    );
    assert_eq!(
        world.last().body,
        json!({"max_versions": 5, "cas_required": true, "delete_version_after": "1m30s", "custom_metadata": {"a": "b"}})
    );
    assert_eq!(world.run("kv metadata patch -remove-custom-metadata=a secret/app").code, 0);
    assert_eq!(world.last().body, json!({"custom_metadata": {"a": null}}));
    prints(
        world.run("kv metadata delete secret/app"),
        "Success! Data deleted (if it existed) at: secret/metadata/app\n",
    );
    assert_eq!(world.run("kv metadata get kv1/app").err, "Metadata not supported on KV Version 1\n");
}

#[test]
fn a_described_call_still_asks_for_the_mount() {
    let world = World::new(&[V2]);
    prints(
        world.run("kv get -output-curl-string secret/app"),
        "curl -H \"X-Vault-Request: true\" \"http://server/v1/secret/data/app\"\n",
    );
    assert_eq!(world.seen().len(), 1);
}

#[test]
fn versioning_is_enabled_by_tuning() {
    let world = World::new(&[("POST /v1/sys/mounts/kv1/tune", 204, "")]);
    prints(world.run("kv enable-versioning kv1"), "Success! Tuned the secrets engine at: kv1/\n");
    assert_eq!(world.last().body, json!({"options": {"version": "2"}}));
}
