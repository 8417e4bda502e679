//! Version 2's metadata, configuration, listings and the way to it from version 1.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use engine_kv::Kv;
use engine_sdk::testing::FakeHost;
use engine_sdk::types::{Body, Cause, Failure, Operation, Outcome, Reply};
use engine_sdk::{Engine, Options};
use serde_json::{Value, json};

const NOW: &str = "2030-01-01T00:00:00Z";

fn mount() -> FakeHost {
    FakeHost::new(&[("version", "2")])
}

fn call(host: &FakeHost, operation: Operation, path: &str, fields: Value) -> Result<Reply, Failure> {
    match host.call::<Kv>(operation, path, &fields.to_string())? {
        Outcome::Reply(reply) => Ok(reply),
        other => panic!("a key-value store answers at once, not with {other:?}"),
    }
}

fn write(host: &FakeHost, path: &str, fields: Value) -> Result<Reply, Failure> {
    call(host, Operation::Update, path, fields)
}

fn patch(host: &FakeHost, path: &str, fields: Value) -> Result<Reply, Failure> {
    call(host, Operation::Patch, path, fields)
}

fn read(host: &FakeHost, path: &str) -> Result<Value, Failure> {
    match call(host, Operation::Read, path, json!({}))?.body {
        Body::Data(text) => Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))),
        _ => Ok(Value::Null),
    }
}

fn is_refused(result: Result<Reply, Failure>) -> bool {
    result.map_err(|failure| failure.cause) == Err(Cause::Invalid)
}

#[test]
fn metadata_may_come_before_the_first_version() -> Result<(), Failure> {
    let host = mount();
    let sent = json!({"max_versions": 2, "delete_version_after": 5400, "custom_metadata": {"owner": "team", "n": "1"}});
    assert_eq!(write(&host, "metadata/m", sent)?, Reply::none());
    let shown = json!({
        "cas_required": false, "created_time": NOW, "current_version": 0, "current_metadata_version": 1,
        "custom_metadata": {"n": "1", "owner": "team"}, "delete_version_after": "1h30m0s", "max_versions": 2,
        "metadata_cas_required": false, "oldest_version": 0, "updated_time": NOW, "versions": {},
    });
    assert_eq!(read(&host, "metadata/m")?, shown);
    assert_eq!(call(&host, Operation::Read, "data/m", json!({}))?, Reply::none());

    let written = write(&host, "data/m", json!({"data": {"v": 1}}))?;
    let Body::Data(text) = written.body else { panic!("no data") };
    assert!(text.contains(r#""custom_metadata":{"n":"1","owner":"team"}"#), "{text}");
    let version = json!({"1": {"created_time": NOW, "deletion_time": "2030-01-01T01:30:00Z", "destroyed": false}});
    assert_eq!(read(&host, "metadata/m")?["versions"], version);
    Ok(())
}

#[test]
fn a_write_replaces_custom_metadata_and_a_patch_merges_it() -> Result<(), Failure> {
    let host = mount();
    write(&host, "metadata/m", json!({"delete_version_after": 5400, "custom_metadata": {"owner": "team", "n": "1"}}))?;
    let merged = json!({"custom_metadata": {"n": null, "more": "2"}, "delete_version_after": 1800});
    assert_eq!(patch(&host, "metadata/m", merged)?, Reply::none());
    let shown = read(&host, "metadata/m")?;
    assert_eq!(shown["custom_metadata"], json!({"more": "2", "owner": "team"}));
    assert_eq!(shown["delete_version_after"], "30m0s");
    assert_eq!(shown["current_metadata_version"], 2);

    patch(&host, "metadata/m", json!({"delete_version_after": 0}))?;
    assert_eq!(read(&host, "metadata/m")?["delete_version_after"], "30m0s", "a patch cannot clear it");
    write(&host, "metadata/m", json!({"custom_metadata": {"only": "this"}, "delete_version_after": 0}))?;
    let shown = read(&host, "metadata/m")?;
    assert_eq!((&shown["custom_metadata"], &shown["delete_version_after"]), (&json!({"only": "this"}), &json!("0s")));
    Ok(())
}

#[test]
fn nothing_recognised_changes_nothing() -> Result<(), Failure> {
    let host = mount();
    assert_eq!(write(&host, "metadata/m", json!({}))?, Reply::none());
    assert_eq!(read(&host, "metadata/m")?, Value::Null);
    assert_eq!(patch(&host, "metadata/m", json!({"max_versions": 3}))?, Reply::none().status(404));
    write(&host, "metadata/m", json!({"max_versions": 3}))?;
    assert_eq!(patch(&host, "metadata/m", json!({}))?, Reply::none());
    assert_eq!(read(&host, "metadata/m")?["current_metadata_version"], 1);
    Ok(())
}

#[test]
fn refuses_bad_metadata_and_keeps_what_was() -> Result<(), Failure> {
    let host = mount();
    write(&host, "metadata/m", json!({"custom_metadata": {"k": "v"}}))?;
    let before = host.entries();
    for bad in [
        json!({"custom_metadata": {"k".repeat(129): "v"}}),
        json!({"custom_metadata": {"k": {"deep": 1}}}),
        json!({"max_versions": -1}),
        json!({"metadata_cas": 7, "max_versions": 1}),
    ] {
        assert!(is_refused(write(&host, "metadata/m", bad.clone())), "{bad}");
        assert!(is_refused(patch(&host, "metadata/m", bad.clone())), "{bad}");
    }
    assert_eq!(host.entries(), before);
    Ok(())
}

#[test]
fn metadata_has_a_check_and_set_of_its_own() -> Result<(), Failure> {
    let host = mount();
    write(&host, "config", json!({"metadata_cas_required": true}))?;
    assert!(is_refused(write(&host, "metadata/m", json!({"max_versions": 3}))));
    write(&host, "metadata/m", json!({"max_versions": 3, "metadata_cas": 0}))?;
    assert!(is_refused(patch(&host, "metadata/m", json!({"max_versions": 4, "metadata_cas": 0}))));
    patch(&host, "metadata/m", json!({"max_versions": 4, "metadata_cas": 1}))?;
    assert_eq!(read(&host, "metadata/m")?["max_versions"], 4);
    Ok(())
}

#[test]
fn deleting_metadata_removes_every_entry() -> Result<(), Failure> {
    let host = mount();
    for path in ["data/m", "data/m", "data/m/1"] {
        write(&host, path, json!({"data": {"v": 1}}))?;
    }
    assert_eq!(call(&host, Operation::Delete, "metadata/m", json!({}))?, Reply::none());
    assert_eq!(host.entries().keys().collect::<Vec<_>>(), ["data/m/1/1", "meta/m/1"], "the key below is another");
    assert_eq!(call(&host, Operation::Delete, "metadata/m", json!({}))?, Reply::none());
    Ok(())
}

#[test]
fn config_keeps_what_is_not_sent() -> Result<(), Failure> {
    let host = mount();
    let shown = |cas: bool, after: &str, max: u32| json!({"cas_required": cas, "delete_version_after": after, "max_versions": max, "metadata_cas_required": false});
    assert_eq!(read(&host, "config")?, shown(false, "0s", 0));
    write(&host, "config", json!({"max_versions": 3, "cas_required": true, "delete_version_after": 3}))?;
    assert_eq!(read(&host, "config")?, shown(true, "3s", 3));
    write(&host, "config", json!({"delete_version_after": 0, "cas_required": false}))?;
    assert_eq!(read(&host, "config")?, shown(false, "0s", 3));
    write(&host, "config", json!({"delete_version_after": -90}))?;
    assert_eq!(read(&host, "config")?["delete_version_after"], "-1s");
    assert!(is_refused(write(&host, "config", json!({"max_versions": -1}))));
    Ok(())
}

#[test]
fn only_metadata_can_be_listed() -> Result<(), Failure> {
    let host = mount();
    for path in ["data/open/a", "data/open/dir/b", "data/cas"] {
        write(&host, path, json!({"data": {}}))?;
    }
    let list = |path: &str, fields: Value| -> Result<(Vec<String>, Option<String>), Failure> {
        match call(&host, Operation::List, path, fields)?.body {
            Body::Keys(listing) => Ok((listing.keys, listing.info)),
            Body::None => Ok((Vec::new(), None)),
            other => panic!("no listing: {other:?}"),
        }
    };
    assert_eq!(list("metadata/", json!({}))?.0, ["cas", "open/"]);
    assert_eq!(list("metadata/open/", json!({}))?.0, ["a", "dir/"]);
    assert_eq!(list("metadata/open/", json!({"after": "a", "limit": 1}))?.0, ["dir/"]);
    assert!(list("metadata/nothing/", json!({}))?.0.is_empty());
    let unsupported = call(&host, Operation::List, "data/open/", json!({})).map_err(|failure| failure.cause);
    assert_eq!(unsupported, Err(Cause::Unsupported));

    let (keys, info) = list("detailed-metadata/open/", json!({}))?;
    assert_eq!(keys, ["a", "dir/"]);
    let info: Value = serde_json::from_str(&info.unwrap_or_default()).unwrap_or_default();
    assert_eq!(info, json!({"a": read(&host, "metadata/open/a")?}));
    Ok(())
}

/// A mount that was version 1 with these secrets, and is version 2 since a minute.
fn upgraded(secrets: &[(&str, &str)]) -> Result<FakeHost, Failure> {
    let host = FakeHost::default();
    for (path, body) in secrets {
        host.call::<Kv>(Operation::Update, path, body)?;
    }
    let options = [("version".to_owned(), "2".to_owned())];
    host.edit_mount(|mount| mount.options = options.to_vec());
    let description = Kv::describe(Options::new(&options));
    assert_eq!((description.storage_format, description.reads_storage), (2, vec![1]));
    let before = host.entries().len();
    Kv::migrate(&host.context(), 1)?;
    assert_eq!(host.entries().len(), before + 1, "an upgrade costs one entry, however large the store");
    host.advance(std::time::Duration::from_secs(60));
    Ok(host)
}

const SECRET: &str = r#"{"n":123456789012345678901234567890.10,"ttl":"90m"}"#;

#[test]
fn every_secret_of_version_one_is_a_first_version() -> Result<(), Failure> {
    let host = upgraded(&[("a", SECRET), ("dir/b", r#"{"v":1}"#)])?;
    let Body::Data(text) = call(&host, Operation::Read, "data/a", json!({}))?.body else { panic!("no data") };
    assert!(text.starts_with(&format!(r#"{{"data":{SECRET},"#)), "{text}");
    let version = json!({"created_time": NOW, "deletion_time": "", "destroyed": false});
    let shown = read(&host, "metadata/dir/b")?;
    assert_eq!((&shown["current_version"], &shown["versions"]), (&json!(1), &json!({"1": version})));

    write(&host, "data/dir/c", json!({"data": {}}))?;
    write(&host, "data/z", json!({"data": {}}))?;
    let list = |path: &str, fields: Value| call(&host, Operation::List, path, fields).map(|reply| reply.body);
    for (path, fields, keys) in [
        ("metadata/", json!({}), vec!["a", "dir/", "z"]),
        ("metadata/", json!({"after": "a", "limit": 1}), vec!["dir/"]),
        ("metadata/dir/", json!({}), vec!["b", "c"]),
    ] {
        let Body::Keys(listing) = list(path, fields)? else { panic!("no listing") };
        assert_eq!(listing.keys, keys, "{path}");
    }
    assert!(Kv::migrate(&host.context(), 7).is_err());
    Ok(())
}

#[test]
fn a_change_takes_an_old_secret_over() -> Result<(), Failure> {
    let paths = ["write", "patch", "delete", "destroy", "metadata", "gone", "only"];
    let host = upgraded(&paths.map(|path| (path, r#"{"v":1}"#)))?;
    let refused = write(&host, "data/write", json!({"options": {"cas": 0}, "data": {"v": 2}}));
    assert!(is_refused(refused), "the first version counts");
    write(&host, "data/write", json!({"options": {"cas": 1}, "data": {"v": 2}}))?;
    patch(&host, "data/patch", json!({"data": {"w": 2}}))?;
    call(&host, Operation::Delete, "data/delete", json!({}))?;
    write(&host, "destroy/destroy", json!({"versions": [1]}))?;
    write(&host, "metadata/metadata", json!({"max_versions": 3}))?;
    call(&host, Operation::Delete, "metadata/gone", json!({}))?;
    write(&host, "config", json!({"max_versions": 1}))?;
    write(&host, "data/only", json!({"data": {"v": 2}}))?;

    assert_eq!(read(&host, "data/patch")?["data"], json!({"v": 1, "w": 2}));
    let entries = host.entries();
    let keys: Vec<_> = entries.keys().map(String::as_str).collect();
    let expected = [
        "config",
        "data/delete/1",
        "data/metadata/1",
        "data/only/2",
        "data/patch/1",
        "data/patch/2",
        "data/write/1",
        "data/write/2",
        "meta/delete",
        "meta/destroy",
        "meta/metadata",
        "meta/only",
        "meta/patch",
        "meta/write",
        "upgraded",
    ];
    assert_eq!(keys, expected);
    write(&host, "undelete/delete", json!({"versions": [1]}))?;
    assert_eq!(read(&host, "data/delete")?["data"], json!({"v": 1}));
    Ok(())
}
