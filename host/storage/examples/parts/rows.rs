//! What the benches' programs write: rows as large as the server's, under the same checks.

use std::sync::Arc;

use cofferdam_crypto::Keyring;
use cofferdam_model::{Clock as _, SystemClock, Timestamp, ids};
use cofferdam_storage::port::{Batch, Check, LeaseRow, LeaseState, Op, Outcome, TokenRow};
use cofferdam_storage::{Sqlite, Storage};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(crate) const GATE: &str = "mount/load";
pub(crate) const PARENT: &str = "parent";

/// The store in this directory, unsealed, with what the batches check.
pub(crate) async fn open(directory: &str) -> Result<Storage> {
    let storage = Storage::new(Arc::new(Sqlite::open(directory).await?));
    storage.unseal(Arc::new(Keyring::new(Timestamp(0))));
    storage.apply(prepared()).await?;
    Ok(storage)
}

pub(crate) async fn apply(storage: &Storage, batch: Batch) -> Result<()> {
    match storage.apply(batch).await? {
        Outcome::Applied => Ok(()),
        Outcome::Conflict(why) => Err(format!("not applied: {why:?}").into()),
    }
}

/// Before an effect.
pub(crate) async fn intend(storage: &Storage, lease: &LeaseRow) -> Result<()> {
    apply(storage, Batch { checks: checks(), ops: vec![Op::InsertLease(lease.clone())] }).await
}

/// After it: the lease is due then.
pub(crate) async fn activate(storage: &Storage, lease: LeaseRow, due: i64) -> Result<()> {
    let row = LeaseRow { state: LeaseState::Active, due_at: Some(Timestamp(due)), ..lease };
    apply(storage, Batch { checks: checks(), ops: vec![Op::UpdateLease { expect: 1, row }] }).await
}

fn prepared() -> Batch {
    Batch {
        checks: Vec::new(),
        ops: vec![Op::SetGate { gate: GATE.into(), open: true }, Op::InsertToken(token(PARENT, None))],
    }
}

fn checks() -> Vec<Check> {
    vec![Check::TokenLive { digest: PARENT.into(), now: Timestamp(0) }, Check::GateOpen(GATE.into())]
}

pub(crate) fn token(digest: &str, parent: Option<&str>) -> TokenRow {
    TokenRow {
        digest: digest.to_owned(),
        accessor_key: format!(
            "{}{}",
            digest.get(..ids::TIME_CHARACTERS).unwrap_or_default(),
            digest.chars().rev().collect::<String>()
        ),
        parent: parent.map(str::to_owned),
        live: true,
        version: 1,
        due_at: parent.map(|_| SystemClock.now().plus_seconds(3_600)),
        uses_left: None,
        body: vec![b'7'; 450],
    }
}

pub(crate) fn lease(id: &str) -> LeaseRow {
    LeaseRow {
        id: id.to_owned(),
        mount: "00000000-0000-0000-0000-000000000000".into(),
        backend: "pg".into(),
        generation: 1,
        token: Some(PARENT.into()),
        object_key: Some(format!("object of {id}")),
        state: LeaseState::Pending,
        version: 1,
        due_at: Some(Timestamp(5)),
        body: vec![b'7'; 900],
    }
}
