//! The key-value engine in the sandbox: described, asked, and with its changes committed by hand.

use std::sync::Arc;

use cofferdam_model::engine::{Catalog as _, EngineRequest, ExistsGate, Outcome};
use cofferdam_model::request::Operation;
use cofferdam_model::view::Read;
use cofferdam_model::{Error, Result};

use super::memory::{Memory, call};
use super::support::{Outcome as Done, catalog, component};

const POLICY: &str = include_str!("../../../../policies/kv.toml");

fn request(operation: Operation, path: &str, route: &str, fields: &str) -> EngineRequest {
    EngineRequest {
        operation,
        path: path.to_owned(),
        route: route.to_owned(),
        params: vec![("path".to_owned(), path.to_owned())],
        fields: fields.to_owned(),
    }
}

struct Decide(bool);

impl ExistsGate for Decide {
    fn decide(&self, exists: bool) -> Result<()> {
        if exists == self.0 { Ok(()) } else { Err(Error::permission_denied()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_and_reads_back() -> Done {
    let (sandbox, catalog) = catalog("kv", component("engine-kv")?, POLICY)?;
    assert_eq!(catalog.kinds(), ["kv"]);
    let engine = catalog.engine("kv").await?.ok_or("no engine")?;
    assert!(catalog.engine("other").await?.is_none());
    assert_eq!(engine.digest().len(), 64);

    let one = engine.describe("m/", &[]).await?;
    let two = engine.describe("m/", &[("version".to_owned(), "2".to_owned())]).await?;
    assert!(one.find("a/b").is_some() && two.find("data/a/b").is_some());
    assert!(Arc::ptr_eq(&one, &engine.describe("m/", &[]).await?), "cached");
    let (route, params) = one.find("a/b").ok_or("no route")?;

    let view = Arc::new(Memory::default());
    let ask = |operation, fields: &str| EngineRequest {
        params: params.clone(),
        ..request(operation, "a/b", route.pattern.as_str(), fields)
    };
    let refused = engine.handle(call(&view, &[], None), ask(Operation::Update, "{}"), Some(&Decide(true))).await;
    assert!(refused.is_err(), "the gate said no");
    let written =
        engine.handle(call(&view, &[], None), ask(Operation::Update, r#"{"k":"v"}"#), Some(&Decide(false))).await;
    let written = written.map_err(|e| format!("{e:?}"))?;
    assert_eq!(written.changes.writes.len(), 1);
    assert!(written.changes.reads.iter().any(|r| matches!(r, Read::Entry { version: 0, .. })));
    view.commit(written.changes);

    let read = engine.handle(call(&view, &[], None), ask(Operation::Read, "{}"), None).await;
    let read = read.map_err(|e| format!("{e:?}"))?;
    assert!(read.changes.is_empty());
    let Outcome::Reply(reply) = read.value else { return Err("no reply".into()) };
    assert_eq!(reply.data.as_deref(), Some(r#"{"k":"v"}"#));

    let counts = sandbox.reports().first().map(|r| r.counts).unwrap_or_default();
    assert_eq!((counts.calls, counts.faults.total(), counts.denials), (3, 0, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_the_policy_does_not_name_is_refused_by_name() -> Done {
    let policy = "engine = 'kv'\nworld = 'secrets'\nimports = ['cofferdam:engine/call']\n";
    let (_, catalog) = catalog("kv", component("engine-kv")?, policy)?;
    let error = catalog.engine("kv").await.err().ok_or("it loads")?;
    let said = error.to_string();
    assert!(said.contains("engine kv") && said.contains("does not allow the import cofferdam:engine/"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_repeats_itself_unless_the_call_looked_at_more_than_its_entries() -> Done {
    const VERSION_2: &[(&str, &str)] = &[("version", "2")];
    let forgetful: &str = POLICY.replace("remember = true", "remember = false").leak();
    for (policy, remembers) in [(POLICY, true), (forgetful, false)] {
        let (_, catalog) = catalog("kv", component("engine-kv")?, policy)?;
        let engine = catalog.engine("kv").await?.ok_or("no engine")?;
        let view = Arc::new(Memory::default());
        let data = |operation, path, fields| request(operation, path, "data/{path*}", fields);
        let about = |path, fields| request(Operation::Update, path, "metadata/{path*}", fields);
        for (asked, repeats) in [
            (data(Operation::Update, "ever", r#"{"data":{"k":"v"}}"#), false),
            (data(Operation::Read, "ever", "{}"), true),
            (data(Operation::Read, "none", "{}"), true),
            (about("brief", r#"{"delete_version_after":3600}"#), false),
            (data(Operation::Update, "brief", r#"{"data":{"k":"v"}}"#), false),
            // Whether it is over depends on the clock.
            (data(Operation::Read, "brief", "{}"), false),
        ] {
            let label = format!("{:?} {} {}", asked.operation, asked.path, asked.fields);
            let done = engine.handle(call(&view, VERSION_2, None), asked, None).await;
            let done = done.map_err(|e| format!("{label}: {e:?}"))?;
            assert_eq!(done.changes.repeatable, repeats && remembers, "{label}");
            view.commit(done.changes);
        }
    }
    Ok(())
}
