//! Version 1, as a client sees it.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use engine_kv::Kv;
use engine_sdk::testing::FakeHost;
use engine_sdk::types::{Body, Cause, Failure, Operation, Outcome, Reply};

const MONTH: u64 = 32 * 24 * 3600;

fn call(host: &FakeHost, operation: Operation, path: &str, body: &str) -> Result<Reply, Failure> {
    match host.call::<Kv>(operation, path, body)? {
        Outcome::Reply(reply) => Ok(reply),
        other => panic!("a key-value store answers at once, not with {other:?}"),
    }
}

fn read(host: &FakeHost, path: &str) -> Result<Reply, Failure> {
    call(host, Operation::Read, path, "")
}

fn write(host: &FakeHost, path: &str, body: &str) -> Result<Reply, Failure> {
    call(host, Operation::Update, path, body)
}

fn data(text: &str) -> Body {
    Body::Data(text.to_owned())
}

#[test]
fn gives_back_what_was_written_digit_by_digit() -> Result<(), Failure> {
    let host = FakeHost::default();
    let body = r#"{"user":"ada","n":9007199254740993,"f":1.50,"big":1e400,"path":"p","z":null,"deep":{"l":[1,"two"]}}"#;
    assert_eq!(write(&host, "open/a", body)?.body, Body::None);
    let reply = read(&host, "open/a")?;
    assert_eq!(reply.body, data(body));
    assert_eq!(reply.lease_duration, Some(MONTH));
    write(&host, "open/a", r#"{"only":"this"}"#)?;
    assert_eq!(read(&host, "open/a")?.body, data(r#"{"only":"this"}"#));
    Ok(())
}

#[test]
fn takes_the_lease_duration_from_the_body() -> Result<(), Failure> {
    let host = FakeHost::default();
    for (body, seconds) in [
        (r#"{"ttl":"90m"}"#, 5_400),
        (r#"{"lease":120}"#, 120),
        (r#"{"ttl":60,"lease":120}"#, 60),
        (r#"{"ttl":"0"}"#, 0),
        (r#"{"ttl":"soon","lease":120}"#, MONTH),
        (r#"{"ttl":1.5}"#, MONTH),
        (r#"{"ttl":-5}"#, MONTH),
        (r#"{"ttl":{"a":1}}"#, MONTH),
    ] {
        write(&host, "t", body)?;
        let reply = read(&host, "t")?;
        assert_eq!((reply.body, reply.lease_duration), (data(body), Some(seconds)), "{body}");
    }
    write(&host, "t", r#"{"v":"x"}"#)?;
    host.edit_mount(|mount| mount.default_ttl = 7);
    assert_eq!(read(&host, "t")?.lease_duration, Some(7), "the mount's default holds as it is when read");
    Ok(())
}

#[test]
fn refuses_empty_bodies_and_bad_paths() {
    let host = FakeHost::default();
    for (path, body) in [("e", "{}"), ("e", " { } "), ("a//b", r#"{"v":1}"#), ("a/../b", r#"{"v":1}"#)] {
        let failure = write(&host, path, body).map_err(|failure| failure.cause);
        assert_eq!(failure, Err(Cause::Invalid), "{path} {body}");
    }
    let large = format!(r#"{{"v":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(write(&host, "large", &large).map_err(|failure| failure.cause), Err(Cause::Invalid));
    assert_eq!(read(&host, "a//b").map_err(|failure| failure.cause), Err(Cause::Invalid));
    assert!(host.entries().is_empty());
}

#[test]
fn lists_one_level_and_deletes_what_is_there_or_not() -> Result<(), Failure> {
    let host = FakeHost::default();
    for path in ["open/a", "open/t", "open/dir/b c"] {
        write(&host, path, r#"{"v":1}"#)?;
    }
    let list = |path: &str, fields: &str| -> Result<Vec<String>, Failure> {
        match call(&host, Operation::List, path, fields)?.body {
            Body::Keys(listing) => Ok(listing.keys),
            Body::None => Ok(Vec::new()),
            other => panic!("no listing: {other:?}"),
        }
    };
    assert_eq!(list("", "")?, ["open/"]);
    assert_eq!(list("open/", "")?, ["a", "dir/", "t"]);
    assert_eq!(list("open/", r#"{"after":"a","limit":1}"#)?, ["dir/"]);
    assert_eq!(list("open/", r#"{"limit":"2"}"#)?, ["a", "dir/"], "a query is texts");
    assert_eq!(list("open/", r#"{"limit":-1}"#)?, ["a", "dir/", "t"]);
    assert!(list("open/", r#"{"limit":"few"}"#).is_err());
    assert!(list("nothing/", "")?.is_empty());
    assert!(call(&host, Operation::List, "a//", "").is_err());

    for _ in 0..2 {
        assert_eq!(call(&host, Operation::Delete, "open/a", "")?.body, Body::None);
    }
    assert_eq!(read(&host, "open/a")?.body, Body::None);
    assert_eq!(read(&host, "open/")?.body, Body::None, "a folder is no secret");
    assert_eq!(list("open/", "")?, ["dir/", "t"]);
    Ok(())
}

#[test]
fn knows_create_from_update_and_no_patch() {
    let host = FakeHost::default();
    let patched = host.call::<Kv>(Operation::Patch, "a", r#"{"v":1}"#);
    assert_eq!(patched.map_err(|failure| failure.cause), Err(Cause::Unsupported));
    let description = <Kv as engine_sdk::Engine>::describe(engine_sdk::Options::new(&[]));
    assert_eq!((description.storage_format, description.reads_storage.as_slice()), (1, [].as_slice()));
    let operations = &description.routes[0].operations;
    assert!(operations.contains(&Operation::Create) && operations.contains(&Operation::Update));
    assert!(!operations.contains(&Operation::Patch));
}
