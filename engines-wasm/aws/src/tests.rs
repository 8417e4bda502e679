//! The engine against a host in memory.

use engine_sdk::testing::FakeHost;
use engine_sdk::types::{Body, Cause, Failure, Operation, Outcome, Reply};
use serde_json::{Value, json};

use crate::Aws;

mod clock;
mod cloud;
mod leases;
mod rotation;
mod statics;

fn write(host: &FakeHost, path: &str, fields: &Value) -> Result<Outcome, Failure> {
    host.call::<Aws>(Operation::Update, path, &fields.to_string())
}

fn read(host: &FakeHost, path: &str) -> Option<Value> {
    match host.call::<Aws>(Operation::Read, path, "").unwrap() {
        Outcome::Reply(Reply { body: Body::Data(data), .. }) => Some(serde_json::from_str(&data).unwrap()),
        Outcome::Reply(Reply { body: Body::None, .. }) => None,
        other => panic!("no data: {other:?}"),
    }
}

#[test]
fn keeps_the_secret_key_in_the_slot_only() {
    let host = FakeHost::default();
    assert_eq!(read(&host, "config/root"), None);
    let fields = json!({"access_key": "AKIA", "secret_key": "hush-hush", "region": "eu-west-1", "max_retries": 3});
    write(&host, "config/root", &fields).unwrap();
    let stored = String::from_utf8(host.entries()["config/root"].clone()).unwrap();
    assert!(!stored.contains("hush-hush"), "{stored}");
    assert!(host.slots()["root"].contains("hush-hush"));
    let shown = read(&host, "config/root").unwrap();
    assert_eq!(
        (&shown["access_key"], &shown["region"], &shown["max_retries"]),
        (&json!("AKIA"), &json!("eu-west-1"), &json!(3))
    );
    assert!(!shown.to_string().contains("hush-hush"), "{shown}");

    write(&host, "config/root", &json!({"access_key": "B", "secret_key": "c"})).unwrap();
    let shown = read(&host, "config/root").unwrap();
    assert_eq!((&shown["region"], &shown["max_retries"]), (&json!(""), &json!(-1)), "a write replaces all");
    let bad = json!({"access_key": "B", "secret_key": "c", "username_template": "{{ random 40 }}"});
    assert_eq!(write(&host, "config/root", &bad).unwrap_err().cause, Cause::Invalid);
}

#[test]
fn keeps_how_long_users_live() {
    let host = FakeHost::default();
    assert_eq!(read(&host, "config/lease"), None);
    write(&host, "config/lease", &json!({"lease": 1800, "lease_max": 86_400})).unwrap();
    assert_eq!(read(&host, "config/lease"), Some(json!({"lease": "30m0s", "lease_max": "24h0m0s"})));
    assert!(write(&host, "config/lease", &json!({"lease": 2, "lease_max": 1})).is_err());
}

#[test]
fn keeps_roles_and_merges_writes() {
    let host = FakeHost::default();
    let role = json!({"credential_type": "iam_user", "policy_document": "{ \"Statement\": [ ] }"});
    write(&host, "roles/s3@prod", &role).unwrap();
    write(&host, "roles/s3@prod", &json!({"iam_groups": ["staff"]})).unwrap();
    let shown = read(&host, "roles/s3@prod").unwrap();
    assert_eq!(shown["policy_document"], r#"{"Statement":[]}"#);
    assert_eq!(shown["iam_groups"], json!(["staff"]));
    let listed = host.call::<Aws>(Operation::List, "roles/", "").unwrap();
    assert_eq!(listed, Outcome::Reply(Reply::keys(vec!["s3@prod".to_owned()])));
    host.call::<Aws>(Operation::Delete, "roles/s3@prod", "").unwrap();
    assert_eq!(read(&host, "roles/s3@prod"), None);
}

#[test]
fn refuses_roles_that_could_not_work() {
    let host = FakeHost::default();
    for role in [
        json!({}),
        json!({"credential_type": "none-such"}),
        json!({"credential_type": "assumed_role"}),
        json!({"credential_type": "iam_user", "role_arns": ["arn:aws:iam::123:role/a"]}),
        json!({"credential_type": "iam_user", "policy_document": "{"}),
        json!({"credential_type": "iam_user", "policy_document": "[]"}),
        json!({"credential_type": "iam_user", "max_sts_ttl": 3600}),
        json!({"credential_type": "iam_user", "user_path": "a"}),
        json!({"credential_type": "session_token", "policy_arns": ["arn:aws:iam::aws:policy/A"]}),
        json!({"credential_type": "federation_token", "mfa_serial_number": "x"}),
        json!({"credential_type": "federation_token", "default_sts_ttl": 2, "max_sts_ttl": 1}),
    ] {
        assert_eq!(write(&host, "roles/bad", &role).unwrap_err().cause, Cause::Invalid, "{role}");
    }
    assert!(host.entries().is_empty());
}
