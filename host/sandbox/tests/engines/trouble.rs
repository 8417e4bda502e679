//! Calls that do not end well, with the key-value engine and a store that hangs or fails.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cofferdam_model::engine::{Call, CallError, Catalog as _, Engine, EngineRequest, Lane};
use cofferdam_model::request::Operation;
use cofferdam_model::review::FaultKind;
use cofferdam_model::view::{Entry, Version, View};
use cofferdam_model::{Error, ErrorKind, Result};

use super::memory::{Memory, call};
use super::support::{Outcome as Done, catalog, component};

/// One call at a time, and one more that revokes.
const POLICY: &str = concat!(include_str!("../../../../policies/kv.toml"), "permits = 1\nrevoke_permits = 1\n");

/// A store that never answers, or only with an error.
struct Broken(Option<Error>);

impl Broken {
    async fn answer<T>(&self) -> Result<T> {
        match &self.0 {
            Some(error) => Err(error.clone()),
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl View for Broken {
    async fn get(&self, _: &str) -> Result<Option<Entry>> {
        self.answer().await
    }

    async fn scan(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Entry>> {
        self.answer().await
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<String>> {
        self.answer().await
    }

    async fn range(&self, _: &str) -> Result<(i64, Version)> {
        self.answer().await
    }
}

fn on(view: Arc<dyn View>, lane: Lane, deadline: Duration) -> Call {
    Call { view, lane, deadline, ..call(&Arc::new(Memory::default()), &[], None) }
}

async fn read(engine: &Arc<dyn Engine>, call: Call) -> std::result::Result<(), CallError> {
    let described = engine.describe("m/", &[]).await?;
    let Some((route, params)) = described.find("a") else { return Err(Error::not_found().into()) };
    let request = EngineRequest {
        operation: Operation::Read,
        path: "a".to_owned(),
        route: route.pattern.as_str().to_owned(),
        params,
        fields: "{}".to_owned(),
    };
    engine.handle(call, request, None).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_call_ends_and_others_wait_for_their_turn() -> Done {
    let (sandbox, catalog) = catalog("kv", component("engine-kv")?, POLICY)?;
    let engine = catalog.engine("kv").await?.ok_or("no engine")?;
    let hung = Arc::new(Broken(None)) as Arc<dyn View>;
    let good = Arc::new(Memory::default()) as Arc<dyn View>;
    let long = Duration::from_secs(20);
    let first = {
        let (engine, hung) = (Arc::clone(&engine), Arc::clone(&hung));
        tokio::spawn(async move { read(&engine, on(hung, Lane::Serve, Duration::from_secs(2))).await })
    };
    // Until the first one has taken the mount's only permit.
    while sandbox.reports().iter().all(|r| r.counts.calls == 0) {
        tokio::task::yield_now().await;
    }
    let second = read(&engine, on(Arc::clone(&good), Lane::Serve, Duration::from_millis(100))).await;
    let Err(CallError::NotStarted(busy)) = second else { return Err(format!("{second:?}").into()) };
    assert_eq!(busy.kind, ErrorKind::Unavailable);
    assert!(busy.to_string().contains("engine kv at m/"), "{busy}");
    read(&engine, on(Arc::clone(&good), Lane::Revoke, long)).await.map_err(|e| format!("a revocation: {e:?}"))?;

    let Err(CallError::Fault(late)) = first.await? else { return Err("the first came back".into()) };
    assert!(late.to_string().contains("engine kv at m/"), "{late}");
    read(&engine, on(good, Lane::Serve, long)).await.map_err(|e| format!("afterwards: {e:?}"))?;
    let counts = sandbox.reports().first().map(|r| r.counts).unwrap_or_default();
    assert_eq!(
        (counts.calls, counts.refused, counts.faults.of(FaultKind::Deadline), counts.faults.total()),
        (4, 1, 1, 1)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_the_store_is_not_the_engines_fault() -> Done {
    let (sandbox, catalog) = catalog("kv", component("engine-kv")?, POLICY)?;
    let engine = catalog.engine("kv").await?.ok_or("no engine")?;
    let down = Arc::new(Broken(Some(Error::unavailable("the store is down"))));
    let answer = read(&engine, on(down, Lane::Serve, Duration::from_secs(20))).await;
    let Err(CallError::Host(error)) = answer else { return Err(format!("{answer:?}").into()) };
    assert_eq!(error.messages, ["the store is down"]);
    assert_eq!(sandbox.reports().first().map(|r| r.counts.faults.total()), Some(0));
    Ok(())
}
