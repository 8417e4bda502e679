//! Slots, without a guest.

use std::sync::Arc;

use cofferdam_model::engine::BackendAccess;
use tokio::time::Instant;

use super::*;
use crate::memory::{Memory, call};
use crate::net::gate::tests::{Table, border};
use crate::policy::Policy;
use crate::state::{Active, Keeps, Stop};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn state(keeps: Keeps) -> Result<State, crate::SandboxError> {
    let policy = Policy::parse("kv", "engine = 'kv'\nworld = 'secrets'\n")?;
    let backend = BackendAccess {
        name: "pg".to_owned(),
        target: None,
        grants: Vec::new(),
        connections: Default::default(),
        secret: None,
    };
    let call = call(&Arc::new(Memory::default()), &[], Some(backend));
    let mut state = State::new(border(&Table::default()), &policy.limits);
    let mut active = Active::new(call, Arc::new(policy), Instant::now(), Vec::new());
    active.keeps = keeps;
    state.active = Some(active);
    Ok(state)
}

#[tokio::test]
async fn a_secret_that_nobody_would_keep_ends_the_call() -> Outcome {
    let mut request = state(Keeps::StorageAndSlots)?;
    request.put("pg".to_owned(), "{}".to_owned()).await?;
    assert_eq!(request.active()?.slots.len(), 1);

    let mut create = state(Keeps::Storage)?;
    assert!(create.put("pg".to_owned(), "{}".to_owned()).await.is_err());
    assert!(matches!(create.active()?.stop, Some(Stop::Guest(_))), "it is the guest's fault");
    assert!(create.active()?.slots.is_empty());
    Ok(())
}
