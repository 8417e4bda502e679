//! Notes, as a client sees them.
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use engine_sdk::testing::FakeHost;
use engine_sdk::types::{Body, Cause, Failure, Operation, Outcome, Reply};
use engine_template::Template;

fn call(host: &FakeHost, operation: Operation, path: &str, fields: &str) -> Result<Reply, Failure> {
    match host.call::<Template>(operation, path, fields)? {
        Outcome::Reply(reply) => Ok(reply),
        other => panic!("notes make no credentials: {other:?}"),
    }
}

#[test]
fn a_note_is_read_until_its_end() -> Result<(), Failure> {
    let host = FakeHost::default();
    call(&host, Operation::Update, "notes/a", r#"{"text":"hello","ttl":60}"#)?;
    let shown = r#"{"text":"hello","owner":"token","expires":"2030-01-01T00:01:00Z"}"#;
    assert_eq!(call(&host, Operation::Read, "notes/a", "")?.body, Body::Data(shown.to_owned()));
    host.advance(Duration::from_secs(60));
    assert_eq!(call(&host, Operation::Read, "notes/a", "")?, Reply::none());
    Ok(())
}

#[test]
fn an_update_keeps_what_is_not_sent_and_a_create_needs_it() -> Result<(), Failure> {
    let host = FakeHost::default();
    let refused = call(&host, Operation::Update, "notes/a", r#"{"ttl":60}"#);
    assert_eq!(refused.map_err(|failure| failure.cause), Err(Cause::Invalid));
    call(&host, Operation::Update, "notes/a", r#"{"text":"hello"}"#)?;
    call(&host, Operation::Update, "notes/a", r#"{"ttl":5}"#)?;
    let shown = r#"{"text":"hello","owner":"token","expires":"2030-01-01T00:00:05Z"}"#;
    assert_eq!(call(&host, Operation::Read, "notes/a", "")?.body, Body::Data(shown.to_owned()));
    Ok(())
}

#[test]
fn lists_and_deletes() -> Result<(), Failure> {
    let host = FakeHost::default();
    call(&host, Operation::Update, "notes/a", r#"{"text":"hello"}"#)?;
    assert_eq!(call(&host, Operation::List, "notes/", "")?, Reply::keys(vec!["a".to_owned()]));
    call(&host, Operation::Delete, "notes/a", "")?;
    assert_eq!(call(&host, Operation::List, "notes/", "")?, Reply::none());
    Ok(())
}
