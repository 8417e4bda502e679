//! `status` and `operator`.

use serde_json::json;

use crate::support::{Ended, World, prints};

const SEALED: &str = r#"{"type":"shamir","initialized":true,"sealed":true,"t":2,"n":3,"progress":1,"nonce":"791c",
    "version":"1.0.0","recovery_seal":false,"storage_type":"raft"}"#;

#[test]
fn status_says_by_its_code_whether_the_server_is_sealed() {
    let world =
        World::new(&[("GET /v1/sys/seal-status", 200, SEALED), ("GET /v1/sys/leader", 200, r#"{"ha_enabled":false}"#)]);
    let status = world.run("status");
    assert_eq!(
        (status.code, status.out.as_str()),
        (
            2,
            "Key                Value\n---                -----\nSeal Type          shamir\nInitialized        true\n\
             Sealed             true\nTotal Shares       3\nThreshold          2\nUnseal Progress    1/2\n\
             Unseal Nonce       791c\nVersion            1.0.0\nStorage Type       raft\nHA Enabled         false\n"
        )
    );
    let open = SEALED.replace("\"sealed\":true", "\"sealed\":false");
    let world =
        World::new(&[("GET /v1/sys/seal-status", 200, &open), ("GET /v1/sys/leader", 200, r#"{"ha_enabled":false}"#)]);
    assert_eq!(world.run("status -format=json").code, 0);
    let none = World::new(&[]).with("VAULT_ADDR", "http://127.0.0.1:1").run("status");
    assert_eq!(none.code, 1);
    assert!(none.err.ends_with("dial tcp 127.0.0.1:1: connect: connection refused\n"), "{}", none.err);
}

#[test]
fn init_prints_keys_for_people_and_programs() {
    let fresh = SEALED.replace("\"initialized\":true", "\"initialized\":false");
    let made = r#"{"keys":["aa","bb"],"keys_base64":["qg==","uw=="],"root_token":"hvs.r"}"#;
    let world = World::new(&[
        ("GET /v1/sys/seal-status", 200, &fresh),
        ("PUT /v1/sys/init", 200, made),
        ("GET /v1/sys/init", 200, r#"{"initialized":false}"#),
    ]);
    let init = world.run("operator init -key-shares=2 -key-threshold 2");
    assert_eq!(world.last().body, json!({"secret_shares": 2, "secret_threshold": 2}));
    let start = "Unseal Key 1: qg==\nUnseal Key 2: uw==\n\nInitial Root Token: hvs.r\n\nVault initialized with 2 key \
                 shares and a key threshold of 2.";
    assert!(init.code == 0 && init.out.starts_with(start), "{}", init.out);
    assert!(init.out.lines().all(|l| l.len() <= 78));
    assert_eq!(world.run("operator init -n 5 -t 3 -format=json").code, 0);
    assert!(world.run("operator init").code == 0 && world.last().body["secret_threshold"] == 3);
    let status = world.run("operator init -status");
    assert_eq!(status, Ended { code: 2, out: "Vault is not initialized\n".into(), err: String::new() });
}

#[test]
fn unseals_and_seals() {
    let world = World::new(&[
        ("PUT /v1/sys/unseal", 200, SEALED),
        ("GET /v1/sys/leader", 503, r#"{"errors":["Vault is sealed"]}"#),
        ("PUT /v1/sys/seal", 204, ""),
    ]);
    let unseal = world.run("operator unseal qg==");
    assert!(unseal.code == 0 && unseal.out.contains("HA Enabled         true\n"), "{unseal:?}");
    assert_eq!(world.seen()[0].body, json!({"key": "qg=="}));
    world.run("operator unseal -reset");
    assert_eq!(world.seen()[2].body, json!({"reset": true}));
    prints(world.run("operator seal"), "Success! Vault is sealed.\n");
    assert_eq!(world.run("operator unseal -non-interactive").code, 1);
}

#[test]
fn rotates_the_key() {
    let status = r#"{"data":{"term":2,"install_time":"2026-01-02T15:04:05Z","encryptions":7}}"#;
    let world = World::new(&[("POST /v1/sys/rotate", 204, ""), ("GET /v1/sys/key-status", 200, status)]);
    let rows = "Key Term            2\nInstall Time        02 Jan 26 15:04 UTC\nEncryption Count    7\n";
    prints(world.run("operator key-status"), rows);
    prints(world.run("operator rotate"), &format!("Success! Rotated key\n\n{rows}"));
    assert!(world.run("operator rotate -format=json").out.contains("\"term\": 2"));
}
