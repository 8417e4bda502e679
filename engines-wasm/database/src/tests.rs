//! The engine against a host in memory: everything that needs no database.

use engine_sdk::testing::FakeHost;
use engine_sdk::types::{Body, Cause, Failure, Identity, Operation, Outcome, Plan, Reply, Target};
use serde_json::{Value, json};

use crate::Database;

const URL: &str = "postgresql://{{username}}:{{password}}@db.corp:5432/app?sslmode=require";
const SQL: &str = r#"CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}'"#;

fn host(location: &str) -> FakeHost {
    let host = FakeHost::default();
    let target =
        Target { generation: 1, host: "db.corp".into(), port: 5432, location: location.into(), endpoints: Vec::new() };
    host.set_target(Some(target));
    host
}

fn write(host: &FakeHost, path: &str, fields: &Value) -> Result<Reply, Failure> {
    match host.call::<Database>(Operation::Update, path, &fields.to_string())? {
        Outcome::Reply(reply) => Ok(reply),
        other => panic!("no reply: {other:?}"),
    }
}

fn read(host: &FakeHost, path: &str) -> Option<Value> {
    match host.call::<Database>(Operation::Read, path, "").unwrap() {
        Outcome::Reply(Reply { body: Body::Data(data), .. }) => Some(serde_json::from_str(&data).unwrap()),
        Outcome::Reply(Reply { body: Body::None, .. }) => None,
        other => panic!("no data: {other:?}"),
    }
}

fn plan(host: &FakeHost, role: &str) -> Result<Plan, Failure> {
    match host.call::<Database>(Operation::Read, &format!("creds/{role}"), "")? {
        Outcome::Issue(plan) => Ok(plan),
        other => panic!("no plan: {other:?}"),
    }
}

/// A connection that is not looked at.
fn connection(more: &Value) -> Value {
    let mut fields = json!({
        "plugin_name": "postgresql-database-plugin", "connection_url": URL, "username": "root", "password": "hunter2",
        "allowed_roles": ["app", "x*"], "verify_connection": false,
    });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields
}

/// A certificate and its key, in PEM.
fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn keeps_secrets_out_of_the_mount() {
    let host = host(URL);
    let (certificate, key) = pair();
    let fields = connection(&json!({"private_key": key, "tls_certificate": certificate, "max_open_connections": 2}));
    assert_eq!(write(&host, "config/pg", &fields).unwrap(), Reply::none());
    let stored = String::from_utf8(host.entries()["config/pg"].clone()).unwrap();
    assert!(!stored.contains("hunter2") && !stored.contains("PRIVATE KEY"), "{stored}");
    let slot: Value = serde_json::from_str(&host.slots()["pg"]).unwrap();
    let secret = json!({"username": "root", "password": "hunter2", "tls_certificate": certificate, "private_key": key});
    assert_eq!(slot, secret);
    let shown = read(&host, "config/pg").unwrap();
    assert_eq!(
        shown["connection_details"],
        json!({
            "connection_url": URL, "username": "root", "max_open_connections": 2, "tls_certificate": certificate,
        })
    );
    assert_eq!(shown["allowed_roles"], json!(["app", "x*"]));
}

#[test]
fn merges_what_is_sent_into_what_is_there() {
    let host = host(URL);
    write(&host, "config/pg", &connection(&json!({}))).unwrap();
    write(&host, "config/pg", &json!({"max_idle_connections": 3, "verify_connection": false})).unwrap();
    let shown = read(&host, "config/pg").unwrap();
    assert_eq!(shown["plugin_name"], "postgresql-database-plugin");
    assert_eq!(shown["connection_details"]["username"], "root");
    assert_eq!(shown["connection_details"]["max_idle_connections"], 3);
    assert!(host.slots()["pg"].contains("hunter2"));
}

#[test]
fn cuts_a_literal_password_out() {
    // What the host makes of it.
    let host = host("postgresql://root:xxxxx@db.corp/app?sslmode=disable");
    let url = "postgresql://root:hunter%32@db.corp/app?sslmode=disable";
    let fields = connection(&json!({"connection_url": url, "password": "another"}));
    let reply = write(&host, "config/pg", &fields).unwrap();
    assert_eq!(reply.warnings.len(), 1);
    assert!(host.slots()["pg"].contains(r#""password":"hunter2""#));
    let shown = read(&host, "config/pg").unwrap().to_string();
    assert!(shown.contains("root:xxxxx@") && !shown.contains("hunter"), "{shown}");
}

#[test]
fn warns_of_a_connection_whose_protection_is_not_settled() {
    let url = "postgresql://{{username}}:{{password}}@db.corp/app";
    let reply = write(&host(url), "config/pg", &connection(&json!({"connection_url": url}))).unwrap();
    assert!(reply.warnings[0].contains("sslmode"), "{:?}", reply.warnings);
}

#[test]
fn certificates_that_do_not_read_name_their_field() {
    let (certificate, key) = pair();
    let (_, strange) = pair();
    let hollow = "-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n";
    for (more, field) in [
        (json!({"tls_ca": "no PEM"}), "tls_ca"),
        (json!({"tls_ca": hollow}), "tls_ca"),
        (json!({"tls_certificate": "no PEM", "private_key": key}), "tls_certificate"),
        (json!({"tls_certificate": hollow, "private_key": key}), "tls_certificate"),
        (json!({"tls_certificate": certificate, "private_key": "no PEM"}), "private_key"),
        (json!({"tls_certificate": certificate, "private_key": strange}), "private_key"),
    ] {
        // Whether or not the connection makes use of them.
        for location in [URL, "postgresql://{{username}}:{{password}}@db.corp/app?sslmode=disable"] {
            let host = host(location);
            let error = write(&host, "config/pg", &connection(&more)).unwrap_err();
            assert_eq!(error.cause, Cause::Invalid, "{more}");
            assert!(error.message.contains(&format!("object: {field} ")), "{more}: {}", error.message);
            assert!(host.slots().is_empty() && host.entries().is_empty(), "{more}");
        }
    }
}

#[test]
fn a_clients_certificate_can_be_taken_out_again() {
    let host = host(URL);
    let (certificate, key) = pair();
    write(&host, "config/pg", &connection(&json!({"tls_certificate": certificate, "private_key": key}))).unwrap();
    write(&host, "config/pg", &json!({"tls_certificate": "", "private_key": "", "verify_connection": false})).unwrap();
    assert_eq!(host.slots()["pg"], r#"{"username":"root","password":"hunter2"}"#);
}

#[test]
fn refuses_configurations_that_could_not_work() {
    for more in [
        json!({"plugin_name": "none-such"}),
        json!({"plugin_name": ""}),
        json!({"plugin_version": "v9"}),
        json!({"username_template": "{{ nonsense"}),
        json!({"password_authentication": "plain"}),
        json!({"connection_url": "postgresql://db.corp/app?host=evil"}),
        json!({"connection_url": "postgresql://db.corp/app?sslmode=perhaps"}),
        json!({"tls_certificate": "without a key"}),
    ] {
        let host = host(URL);
        let error = write(&host, "config/pg", &connection(&more)).unwrap_err();
        assert_eq!(error.cause, Cause::Invalid, "{more}");
        assert!(!error.message.contains("hunter2"), "{error:?}");
        assert!(host.entries().is_empty() && host.slots().is_empty());
    }
    let nowhere = FakeHost::default();
    assert!(write(&nowhere, "config/pg", &connection(&json!({}))).is_err());
}

#[test]
fn keeps_roles() {
    let host = host(URL);
    write(&host, "roles/app", &json!({"db_name": "pg", "creation_statements": [SQL], "default_ttl": 3600})).unwrap();
    write(&host, "roles/app", &json!({"max_ttl": 7200})).unwrap();
    let want = json!({
        "db_name": "pg", "creation_statements": [SQL], "revocation_statements": [], "rollback_statements": [],
        "renew_statements": [], "default_ttl": 3600, "max_ttl": 7200, "credential_type": "password",
    });
    assert_eq!(read(&host, "roles/app"), Some(want));
    assert!(write(&host, "roles/bad", &json!({"creation_statements": [SQL]})).is_err());
    assert!(write(&host, "roles/bad", &json!({"db_name": "pg", "credential_type": "none"})).is_err());
    assert_eq!(
        host.call::<Database>(Operation::List, "roles/", "").unwrap(),
        Outcome::Reply(Reply::keys(vec!["app".to_owned()]))
    );
    host.call::<Database>(Operation::Delete, "roles/app", "").unwrap();
    assert_eq!(read(&host, "roles/app"), None);
}

#[test]
fn plans_a_user_and_remembers_how_to_end_it() {
    let host = host(URL);
    write(&host, "config/pg", &connection(&json!({}))).unwrap();
    let role = json!({
        "db_name": "pg", "creation_statements": [format!("{SQL}; GRANT a TO b")], "default_ttl": 60,
        "revocation_statements": ["DROP ROLE \"{{name}}\""], "rollback_statements": ["A; B"],
    });
    write(&host, "roles/app", &role).unwrap();
    host.set_caller(Some(Identity { fingerprint: "f".into(), display_name: "userpass-o'brien".into() }));
    let made = plan(&host, "app").unwrap();
    assert!(made.object.starts_with("v-userpass-app-"), "{}", made.object);
    assert_eq!((made.backend.as_str(), made.role.as_str(), made.kind.as_str()), ("pg", "app", "user"));
    assert_eq!((made.ttl.ttl, made.ttl.max_ttl, made.ttl.renewable), (Some(60), None, true));
    let handle: Value = serde_json::from_str(&made.handle.data).unwrap();
    assert_eq!(handle["username"], made.object);
    assert_eq!(handle["later"], json!({"revocation": ["DROP ROLE \"{{name}}\""], "rollback": ["A", "B"]}));
    assert!(!made.handle.data.contains("Password-0"), "a handle is stored, a password never");
    let carry: Value = serde_json::from_str(&made.carry).unwrap();
    assert_eq!(carry, json!({"password": "Password-0-Password0", "hashed": false, "creation": [SQL, "GRANT a TO b"]}));
    assert_ne!(plan(&host, "app").unwrap().object, made.object);
}

#[test]
fn refuses_to_plan_what_cannot_be_made() {
    let host = host(URL);
    write(&host, "config/pg", &connection(&json!({}))).unwrap();
    for (name, role, why) in [
        ("orphan", json!({"db_name": "none", "creation_statements": [SQL]}), "no connection"),
        ("other", json!({"db_name": "pg", "creation_statements": [SQL]}), "not an allowed role"),
        ("x-void", json!({"db_name": "pg"}), "empty creation statements"),
        ("x-end", json!({"db_name": "pg", "creation_statements": ["COMMIT"]}), "transaction"),
        (
            "x-long",
            json!({"db_name": "pg", "creation_statements": [SQL], "renew_statements": ["x".repeat(17_000)]}),
            "too long",
        ),
    ] {
        write(&host, &format!("roles/{name}"), &role).unwrap();
        let error = plan(&host, name).unwrap_err();
        assert!(error.message.contains(why), "{name}: {}", error.message);
    }
    assert_eq!(plan(&host, "none").unwrap_err().message, "unknown role: none");
    write(&host, "roles/app", &json!({"db_name": "pg", "creation_statements": [SQL]})).unwrap();
    host.set_password(Err("no such policy".to_owned()));
    assert_eq!(plan(&host, "app").unwrap_err().message, "no such policy");
}

#[test]
fn rotates_only_what_is_there() {
    let host = host(URL);
    write(&host, "config/pg", &connection(&json!({}))).unwrap();
    for path in ["rotate-root/pg", "config/pg/rotate-root"] {
        let outcome = host.call::<Database>(Operation::Update, path, "").unwrap();
        assert_eq!(outcome, Outcome::Rotate("pg".to_owned()));
    }
    assert!(host.call::<Database>(Operation::Update, "rotate-root/none", "").is_err());
    assert!(host.call::<Database>(Operation::Update, "reset/none", "").is_err());
    assert!(host.call::<Database>(Operation::Update, "reset/pg", "").is_ok());

    let current = r#"{"username":"root","password":"old","tls_ca":"a"}"#;
    let candidate = crate::rotate::propose(&host.context(), "pg", current).unwrap();
    let want = json!({"username": "root", "password": "Password-0-Password0", "tls_ca": "a"});
    assert_eq!(serde_json::from_str::<Value>(&candidate).unwrap(), want);
    assert!(crate::rotate::propose(&host.context(), "pg", r#"{"username":"root"}"#).is_err());
}
