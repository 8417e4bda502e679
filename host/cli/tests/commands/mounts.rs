//! `secrets`, `auth`, `audit`.

use serde_json::json;

use crate::support::{Ended, World, prints};

#[test]
fn lists_secrets_engines() {
    let body = r#"{"data":{"kv1/":{"type":"kv","accessor":"kv_8eeb8195","description":"","uuid":"U","local":false,
        "options":{"version":"1"},"config":{"default_lease_ttl":0,"max_lease_ttl":86400,"force_no_cache":false}},
        "cubbyhole/":{"type":"cubbyhole","accessor":"cubbyhole_a6f2e908","uuid":"C","local":true,
        "description":"per-token private secret storage","options":null,"config":{"max_lease_ttl":5}}}}"#;
    let world = World::new(&[("GET /v1/sys/mounts", 200, body)]);
    prints(
        world.run("secrets list"),
        "Path          Type         Accessor              Description\n\
         ----          ----         --------              -----------\n\
         cubbyhole/    cubbyhole    cubbyhole_a6f2e908    per-token private secret storage\n\
         kv1/          kv           kv_8eeb8195           n/a\n",
    );
    let detailed = world.run("secrets list -detailed").out;
    let words: Vec<Vec<&str>> =
        detailed.lines().map(|l| l.split("    ").map(str::trim).filter(|c| !c.is_empty()).collect()).collect();
    assert_eq!(words[0][..6], ["Path", "Plugin", "Accessor", "Default TTL", "Max TTL", "Force No Cache"]);
    assert_eq!(
        words[2][..8],
        ["cubbyhole/", "cubbyhole", "cubbyhole_a6f2e908", "n/a", "n/a", "false", "local", "false"]
    );
    assert_eq!(
        words[3][..10],
        ["kv1/", "kv", "kv_8eeb8195", "system", "86400", "false", "replicated", "false", "false", "map[version:1]"]
    );
    let json = world.run("secrets list -format=json").out;
    let order = ["\"uuid\"", "\"type\"", "\"description\"", "\"accessor\"", "\"config\"", "\"options\"", "\"local\""];
    let places: Vec<usize> = order.iter().map(|k| json.rfind(k).unwrap()).collect();
    assert!(places.is_sorted(), "{json}");
}

#[test]
fn enables_with_settings() {
    let world = World::new(&[("POST /v1/sys/mounts/aws", 204, ""), ("POST /v1/sys/mounts/secret", 204, "")]);
    prints(world.run("secrets enable aws"), "Success! Enabled the aws secrets engine at: aws/\n");
    assert_eq!(
        world.last().body,
        json!({"type": "aws", "description": "", "config": {}, "local": false, "seal_wrap": false,
            "external_entropy_access": false})
    );
    prints(
        world.run(
            "secrets enable -path=secret -version=2 -default-lease-ttl=90 -max-lease-ttl=-1 -options=a=b \
             -audit-non-hmac-request-keys=k -egress=a:1,b:2 -egress=c:3 -listing-visibility=unauth -description=d kv",
        ),
        "Success! Enabled the kv secrets engine at: secret/\n",
    );
    let body = world.last().body;
    assert_eq!(body["options"], json!({"a": "b", "version": "2"}));
    assert_eq!(
        body["config"],
        json!({"default_lease_ttl": "1m30s", "max_lease_ttl": "system", "audit_non_hmac_request_keys": ["k"],
            "egress": ["a:1", "b:2", "c:3"], "listing_visibility": "unauth"})
    );
    assert_eq!(body["description"], "d");
}

#[test]
fn tunes_disables_and_moves() {
    let world = World::new(&[
        ("POST /v1/sys/mounts/pki/tune", 204, ""),
        ("DELETE /v1/sys/mounts/pki", 204, ""),
        ("POST /v1/sys/remount", 200, r#"{"data":{"migration_id":"M"}}"#),
        ("GET /v1/sys/remount/status/M", 200, r#"{"data":{"migration_info":{"status":"success"}}}"#),
    ]);
    prints(world.run("secrets tune -max-lease-ttl=87600h pki"), "Success! Tuned the secrets engine at: pki/\n");
    assert_eq!(world.last().body, json!({"max_lease_ttl": "87600h0m0s"}));
    prints(world.run("secrets tune -egress= -description= /pki/"), "Success! Tuned the secrets engine at: pki/\n");
    assert_eq!(world.last().body, json!({"egress": [], "description": ""}));
    prints(world.run("secrets disable pki/"), "Success! Disabled the secrets engine (if it existed) at: pki/\n");
    prints(
        world.run("secrets move a b/"),
        "Started moving secrets engine a/ to b/, with migration ID M\n\
         Success! Finished moving secrets engine a/ to b/, with migration ID M\n",
    );
    assert_eq!(world.seen().iter().rev().nth(1).unwrap().body, json!({"from": "a/", "to": "b/"}));
}

#[test]
fn auth_methods() {
    let list = r#"{"data":{"token/":{"type":"token","accessor":"auth_token_1","description":"token based credentials",
        "plugin_version":""}}}"#;
    let world = World::new(&[
        ("GET /v1/sys/auth", 200, list),
        ("POST /v1/sys/auth/ci", 204, ""),
        ("DELETE /v1/sys/auth/ci", 204, ""),
        ("POST /v1/sys/mounts/auth/ci/tune", 204, ""),
        ("GET /v1/auth/token?help=1", 200, r#"{"help":"tokens"}"#),
    ]);
    prints(
        world.run("auth list"),
        "Path      Type     Accessor        Description                Version\n\
         ----      ----     --------        -----------                -------\n\
         token/    token    auth_token_1    token based credentials    n/a\n",
    );
    prints(
        world.run("auth enable -path=ci -token-type=batch approle"),
        "Success! Enabled approle auth method at: ci/\n",
    );
    assert_eq!(world.last().body["config"], json!({"token_type": "batch"}));
    prints(world.run("auth tune -default-lease-ttl=1h ci"), "Success! Tuned the auth method at: ci/\n");
    prints(world.run("auth disable ci"), "Success! Disabled the auth method (if it existed) at: ci/\n");
    prints(world.run("auth help token"), "tokens\n");
    assert_eq!(world.run("auth help nonsense").code, 1);
}

#[test]
fn audit_devices() {
    let list = r#"{"data":{"file/":{"type":"file","description":"","options":{"mode":"0600","file_path":"/a"},"local":false}}}"#;
    let world = World::new(&[
        ("GET /v1/sys/audit", 200, list),
        ("PUT /v1/sys/audit/file", 204, ""),
        ("DELETE /v1/sys/audit/file", 204, ""),
    ]);
    prints(world.run("audit enable file file_path=/a"), "Success! Enabled the file audit device at: file/\n");
    assert_eq!(
        world.last().body,
        json!({"type": "file", "description": "", "options": {"file_path": "/a"}, "local": false})
    );
    prints(
        world.run("audit list"),
        "Path     Type    Description\n----     ----    -----------\nfile/    file    n/a\n",
    );
    prints(
        world.run("audit list -detailed"),
        "Path     Type    Description    Replication    Options\n\
         ----     ----    -----------    -----------    -------\n\
         file/    file    n/a            replicated     file_path=/a mode=0600\n",
    );
    prints(world.run("audit disable file"), "Success! Disabled audit device (if it was enabled) at: file/\n");
    let none = World::new(&[("GET /v1/sys/audit", 200, r#"{"data":{}}"#)]).run("audit list");
    assert_eq!(none, Ended { code: 2, out: "No audit devices are enabled.\n".into(), err: String::new() });
}
