//! Version 2, as a client sees it.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use engine_kv::Kv;
use engine_sdk::testing::FakeHost;
use engine_sdk::types::{Body, Cause, Failure, Operation, Outcome, Reply};
use serde_json::{Value, json};

const NOW: &str = "2030-01-01T00:00:00Z";

/// A mount with shorthands for its calls.
struct Mount(FakeHost);

impl Mount {
    fn new() -> Self {
        Self(FakeHost::new(&[("version", "2")]))
    }

    fn call(&self, operation: Operation, path: &str, fields: &Value) -> Result<Reply, Failure> {
        match self.0.call::<Kv>(operation, path, &fields.to_string())? {
            Outcome::Reply(reply) => Ok(reply),
            other => panic!("a key-value store answers at once, not with {other:?}"),
        }
    }

    fn write(&self, path: &str, fields: Value) -> Result<Reply, Failure> {
        self.call(Operation::Update, path, &fields)
    }

    fn patch(&self, path: &str, fields: Value) -> Result<Reply, Failure> {
        self.call(Operation::Patch, path, &fields)
    }

    fn read(&self, path: &str) -> Result<Reply, Failure> {
        self.call(Operation::Read, path, &json!({}))
    }

    fn read_with(&self, path: &str, fields: Value) -> Result<Reply, Failure> {
        self.call(Operation::Read, path, &fields)
    }

    fn delete(&self, path: &str) -> Result<Reply, Failure> {
        self.call(Operation::Delete, path, &json!({}))
    }
}

/// The data of an answer that has some.
fn data(reply: &Reply) -> Value {
    match &reply.body {
        Body::Data(text) => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")),
        other => panic!("no data: {other:?}"),
    }
}

fn about(version: u64, deletion_time: &str) -> Value {
    json!({"created_time": NOW, "custom_metadata": null, "deletion_time": deletion_time, "destroyed": false, "version": version})
}

fn message(result: Result<Reply, Failure>) -> String {
    match result {
        Err(failure) if failure.cause == Cause::Invalid => failure.message,
        other => panic!("not refused: {other:?}"),
    }
}

/// Neither data nor a status: 204 on a write, 404 on a read.
fn is_nothing(reply: &Reply) -> bool {
    *reply == Reply::none()
}

#[test]
fn writes_and_reads_versions() -> Result<(), Failure> {
    let mount = Mount::new();
    let written = mount.write("data/open/a", json!({"data": {"user": "ada"}}))?;
    assert_eq!(data(&written), about(1, ""));
    mount.write("data/open/a", json!({"data": {"user": "bob"}}))?;
    assert_eq!(data(&mount.read("data/open/a")?), json!({"data": {"user": "bob"}, "metadata": about(2, "")}));
    let first = mount.read_with("data/open/a", json!({"version": 1}))?;
    assert_eq!(data(&first), json!({"data": {"user": "ada"}, "metadata": about(1, "")}));
    for (path, version) in [("data/open/a", 9), ("data/none", 0), ("data/open/", 0), ("data", 0)] {
        assert!(is_nothing(&mount.read_with(path, json!({"version": version}))?), "{path}");
    }
    Ok(())
}

#[test]
fn keeps_every_digit_and_the_whole_text() -> Result<(), Failure> {
    let mount = Mount::new();
    let secret = r#"{"n":123456789012345678901234567890.10,"b":{"y":1e400,"x":null}}"#;
    mount.0.call::<Kv>(Operation::Update, "data/a", &format!(r#"{{"data":{secret}}}"#))?;
    let Body::Data(text) = mount.read("data/a")?.body else { panic!("no data") };
    assert!(text.starts_with(&format!(r#"{{"data":{secret},"metadata":"#)), "{text}");
    Ok(())
}

#[test]
fn a_read_is_two_gets() -> Result<(), Failure> {
    let mount = Mount::new();
    mount.write("data/a", json!({"data": {"v": 1}}))?;
    let before = mount.0.reads();
    mount.read("data/a")?;
    assert_eq!(mount.0.reads() - before, 2);
    Ok(())
}

#[test]
fn refuses_what_is_no_secret() {
    let mount = Mount::new();
    for fields in [json!({}), json!({"data": null}), json!({"user": "no wrapper"})] {
        assert!(message(mount.write("data/a", fields.clone())).contains("no data provided"), "{fields}");
    }
    for path in ["data/a//b", "data/./a", "data/", "data"] {
        message(mount.write(path, json!({"data": {}})));
    }
    message(mount.write("data/a", json!({"data": {"v": "x".repeat(1 << 20)}})));
    let deep = (0..64).fold(json!(1), |inner, _| json!({"a": inner}));
    message(mount.write("data/a", json!({"data": deep})));
    assert!(mount.0.entries().is_empty());
}

#[test]
fn an_empty_map_is_a_version() -> Result<(), Failure> {
    let mount = Mount::new();
    mount.write("data/e", json!({"data": {}}))?;
    assert_eq!(data(&mount.read("data/e")?)["data"], json!({}));
    Ok(())
}

#[test]
fn paths_of_version_one_are_answered_with_a_warning() -> Result<(), Failure> {
    let mount = Mount::new();
    for operation in [Operation::Read, Operation::Update, Operation::Patch, Operation::Delete, Operation::List] {
        let path = if operation == Operation::List { "open/" } else { "open/a" };
        let reply = mount.call(operation, path, &json!({"v": 1}))?;
        assert_eq!((&reply.body, reply.status), (&Body::None, Some(404)), "{operation:?}");
        assert!(reply.warnings[0].starts_with("Invalid path for a versioned K/V secrets engine"));
    }
    Ok(())
}

#[test]
fn check_and_set_compares_the_latest_number() -> Result<(), Failure> {
    let mount = Mount::new();
    let write = |cas: Value| mount.write("data/cas", json!({"options": {"cas": cas}, "data": {"v": 1}}));
    assert!(message(write(json!(1))).contains("did not match the current version"));
    assert_eq!(data(&write(json!(0))?)["version"], 1);
    assert!(message(write(json!(0))).contains("did not match the current version"));
    assert_eq!(data(&write(json!("1"))?)["version"], 2);
    assert!(message(write(json!("one"))).contains("error parsing check-and-set"));
    assert!(message(write(json!(-1))).contains("check-and-set"));
    assert!(message(write(json!({}))).contains("check-and-set"));
    assert!(message(write(json!(null))).contains("did not match"), "null is 0");

    mount.delete("data/cas")?;
    assert!(message(write(json!(0))).contains("did not match"), "a deletion keeps the numbers");
    mount.delete("metadata/cas")?;
    assert_eq!(data(&write(json!(0))?)["version"], 1, "without metadata, numbers begin anew");
    Ok(())
}

#[test]
fn check_and_set_can_be_required() -> Result<(), Failure> {
    let mount = Mount::new();
    assert!(is_nothing(&mount.write("metadata/req", json!({"cas_required": true}))?));
    let plain = json!({"data": {"v": 1}});
    let with_cas = |cas: u64| json!({"options": {"cas": cas}, "data": {"v": 1}});
    assert!(message(mount.write("data/req", plain.clone())).contains("check-and-set parameter required for this call"));
    assert_eq!(data(&mount.write("data/req", with_cas(0))?)["version"], 1);

    mount.write("config", json!({"cas_required": true}))?;
    assert!(message(mount.write("data/any", plain)).contains("required"));
    let reply = mount.write("metadata/any", json!({"cas_required": false}))?;
    assert_eq!((&reply.body, reply.warnings.len()), (&Body::None, 1));
    let reply = mount.patch("metadata/any", json!({"cas_required": false}))?;
    assert_eq!(reply.warnings.len(), 1);
    Ok(())
}

#[test]
fn deletes_and_undeletes() -> Result<(), Failure> {
    let mount = Mount::new();
    for value in [1, 2] {
        mount.write("data/a", json!({"data": {"v": value}}))?;
    }
    assert!(is_nothing(&mount.delete("data/a")?));
    let deleted = mount.read("data/a")?;
    assert_eq!(deleted.status, Some(404));
    assert_eq!(data(&deleted), json!({"data": null, "metadata": about(2, NOW)}));
    assert_eq!(data(&mount.read_with("data/a", json!({"version": 1}))?)["data"], json!({"v": 1}));

    mount.0.advance(Duration::from_secs(5));
    mount.delete("data/a")?;
    assert_eq!(data(&mount.read("data/a")?)["metadata"]["deletion_time"], NOW, "a second deletion changes nothing");

    assert!(is_nothing(&mount.write("undelete/a", json!({"versions": [2]}))?));
    assert_eq!(data(&mount.read("data/a")?), json!({"data": {"v": 2}, "metadata": about(2, "")}));
    mount.write("delete/a", json!({"versions": [1, 2, 77, -1]}))?;
    assert_eq!(mount.read_with("data/a", json!({"version": 1}))?.status, Some(404));

    for route in ["delete/a", "undelete/a", "destroy/a"] {
        message(mount.write(route, json!({"versions": []})));
        message(mount.write(route, json!({})));
    }
    for route in ["delete/none", "undelete/none", "destroy/none"] {
        assert!(is_nothing(&mount.write(route, json!({"versions": [1]}))?));
    }
    assert!(is_nothing(&mount.delete("data/none")?));
    Ok(())
}

#[test]
fn destroys_for_good() -> Result<(), Failure> {
    let mount = Mount::new();
    mount.write("data/a", json!({"data": {"v": 1}}))?;
    mount.write("destroy/a", json!({"versions": [1]}))?;
    assert!(!mount.0.entries().contains_key("data/a/1"));
    mount.write("undelete/a", json!({"versions": [1]}))?;
    let reply = mount.read("data/a")?;
    assert_eq!(reply.status, Some(404));
    let mut metadata = about(1, "");
    metadata["destroyed"] = json!(true);
    assert_eq!(data(&reply), json!({"data": null, "metadata": metadata}));
    assert_eq!(data(&mount.write("data/a", json!({"data": {}}))?)["version"], 2, "numbers go on");
    Ok(())
}

#[test]
fn versions_beyond_the_limit_are_as_if_they_never_were() -> Result<(), Failure> {
    let mount = Mount::new();
    mount.write("metadata/m", json!({"max_versions": 2}))?;
    for value in 1..=3 {
        mount.write("data/m", json!({"data": {"v": value}}))?;
    }
    assert!(is_nothing(&mount.read_with("data/m", json!({"version": 1}))?));
    let entries = mount.0.entries();
    let keys: Vec<_> = entries.keys().map(String::as_str).collect();
    assert_eq!(keys, ["data/m/2", "data/m/3", "meta/m"]);
    let metadata = data(&mount.read("metadata/m")?);
    assert_eq!(metadata["oldest_version"], 2);
    assert_eq!(
        metadata["versions"].as_object().map(|versions| versions.keys().collect::<Vec<_>>()).unwrap_or_default(),
        ["2", "3"]
    );
    Ok(())
}

#[test]
fn versions_delete_themselves() -> Result<(), Failure> {
    let mount = Mount::new();
    mount.write("config", json!({"delete_version_after": 3}))?;
    let written = mount.write("data/d", json!({"data": {"v": 1}}))?;
    assert_eq!(data(&written)["deletion_time"], "2030-01-01T00:00:03Z");
    assert_eq!(mount.read("data/d")?.status, None);
    mount.0.advance(Duration::from_secs(4));
    assert_eq!(mount.read("data/d")?.status, Some(404));
    mount.write("undelete/d", json!({"versions": [1]}))?;
    let back = data(&mount.read("data/d")?);
    assert_eq!(back["data"], json!({"v": 1}));
    assert_eq!(back["metadata"]["deletion_time"], "2030-01-01T00:00:07Z", "the timer begins anew");

    mount.write("config", json!({"delete_version_after": -1}))?;
    mount.write("metadata/d", json!({"delete_version_after": 5}))?;
    assert_eq!(data(&mount.write("data/d", json!({"data": {}}))?)["deletion_time"], "", "the mount switched it off");
    Ok(())
}

#[test]
fn patches_data() -> Result<(), Failure> {
    let mount = Mount::new();
    mount.write("data/p", json!({"data": {"a": 1, "b": {"c": 2, "d": 3}, "l": [1, 2]}}))?;
    let patched = mount.patch("data/p", json!({"data": {"a": null, "b": {"c": 9}, "l": [3], "new": "x"}}))?;
    assert_eq!(data(&patched), about(2, ""));
    assert_eq!(data(&mount.read("data/p")?)["data"], json!({"b": {"c": 9, "d": 3}, "l": [3], "new": "x"}));
    assert!(message(mount.patch("data/p", json!({"options": {"cas": 1}, "data": {}}))).contains("check-and-set"));
    assert!(message(mount.patch("data/p", json!({}))).contains("no data provided"));

    assert_eq!(mount.patch("data/none", json!({"data": {"a": 1}}))?, Reply::none().status(404));
    mount.write("metadata/bare", json!({"max_versions": 1}))?;
    assert_eq!(mount.patch("data/bare", json!({"data": {"a": 1}}))?, Reply::none().status(404));
    mount.delete("data/p")?;
    let reply = mount.patch("data/p", json!({"data": {"a": 1}}))?;
    assert_eq!((reply.status, data(&reply)), (Some(404), about(2, NOW)));
    Ok(())
}

#[test]
fn shows_subkeys() -> Result<(), Failure> {
    let mount = Mount::new();
    mount.write("data/p", json!({"data": {"b": {"c": {"d": 1}, "e": {}}, "l": [3], "new": "x"}}))?;
    for (depth, subkeys) in [
        (0, json!({"b": {"c": {"d": null}, "e": null}, "l": null, "new": null})),
        (1, json!({"b": null, "l": null, "new": null})),
        (2, json!({"b": {"c": null, "e": null}, "l": null, "new": null})),
    ] {
        let reply = mount.read_with("subkeys/p", json!({"depth": depth, "version": 1}))?;
        assert_eq!(data(&reply), json!({"subkeys": subkeys, "metadata": about(1, "")}), "{depth}");
    }
    mount.write("data/empty", json!({"data": {}}))?;
    assert_eq!(data(&mount.read("subkeys/empty")?)["subkeys"], json!({}));
    mount.delete("data/p")?;
    let reply = mount.read("subkeys/p")?;
    assert_eq!((reply.status, data(&reply)), (Some(404), json!({"subkeys": null, "metadata": about(1, NOW)})));
    assert!(is_nothing(&mount.read("subkeys/none")?));
    Ok(())
}
