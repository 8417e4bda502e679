//! A store in memory that breaks, or waits, where a test says.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use cofferdam_model::view::Version;
use cofferdam_model::{Error, Result, Timestamp};
use cofferdam_storage::Sqlite;
use cofferdam_storage::port::{Batch, LeaseFilter, LeaseRow, Op, Outcome, Physical, StoredEntry, TokenRow};

use crate::model::Hold;

/// The store of the tests.
pub(crate) struct Store {
    inner: Sqlite,
    /// The next batch that puts or deletes an entry of this space and key prefix is not applied.
    pub(crate) fail_change: Mutex<Option<(String, String)>>,
    /// The next setting of this plain value fails.
    pub(crate) fail_meta: Mutex<Option<String>>,
    /// The next read of an entry of this key waits after it has read.
    pub(crate) hold_entry: Mutex<Option<(String, Hold)>>,
    /// The gates that are there.
    pub(crate) gates: Mutex<BTreeSet<String>>,
    /// The next read of a token waits after it has read.
    pub(crate) hold_token: Mutex<Option<Hold>>,
}

impl Store {
    pub(crate) async fn new() -> Self {
        let (fail_change, fail_meta, hold_entry, gates, hold_token) = Default::default();
        Self { inner: Sqlite::memory().await.unwrap(), fail_change, fail_meta, hold_entry, gates, hold_token }
    }

    fn breaks(&self, batch: &Batch) -> bool {
        let mut fail = self.fail_change.lock().unwrap();
        let hit = fail.as_ref().is_some_and(|(want_space, prefix)| {
            batch.ops.iter().any(|op| {
                matches!(op, Op::PutEntry { space, key, .. } | Op::DeleteEntry { space, key }
                    if space.starts_with(want_space) && key.starts_with(prefix))
            })
        });
        if hit {
            *fail = None;
        }
        hit
    }
}

#[async_trait]
impl Physical for Store {
    async fn apply(&self, batch: Batch) -> Result<Outcome> {
        if self.breaks(&batch) {
            return Err(Error::unavailable("the store broke"));
        }
        let ops = batch.ops.clone();
        let outcome = self.inner.apply(batch).await?;
        if outcome == Outcome::Applied {
            let mut gates = self.gates.lock().unwrap();
            for op in ops {
                match op {
                    Op::SetGate { gate, .. } => drop(gates.insert(gate)),
                    Op::DeleteGate(gate) => drop(gates.remove(&gate)),
                    _ => {}
                }
            }
        }
        Ok(outcome)
    }

    async fn entry(&self, space: &str, key: &str) -> Result<Option<StoredEntry>> {
        let found = self.inner.entry(space, key).await;
        let hold = {
            let mut slot = self.hold_entry.lock().unwrap();
            if slot.as_ref().is_some_and(|(k, _)| k == key) { slot.take() } else { None }
        };
        if let Some((_, hold)) = hold {
            hold.wait().await;
        }
        found
    }

    async fn entries(&self, space: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<StoredEntry>> {
        self.inner.entries(space, prefix, after, limit).await
    }

    async fn names(&self, space: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.inner.names(space, prefix, after, limit).await
    }

    async fn range(&self, space: &str, prefix: &str) -> Result<(i64, Version)> {
        self.inner.range(space, prefix).await
    }

    async fn lease(&self, id: &str) -> Result<Option<LeaseRow>> {
        self.inner.lease(id).await
    }

    async fn leases(&self, filter: &LeaseFilter, limit: usize) -> Result<Vec<LeaseRow>> {
        self.inner.leases(filter, limit).await
    }

    async fn count_leases(&self, filter: &LeaseFilter) -> Result<i64> {
        self.inner.count_leases(filter).await
    }

    async fn lease_names(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.inner.lease_names(prefix, after, limit).await
    }

    async fn leases_due(&self, now: Timestamp, limit: usize) -> Result<Vec<LeaseRow>> {
        self.inner.leases_due(now, limit).await
    }

    async fn leases_due_except(
        &self,
        now: Timestamp,
        except: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<LeaseRow>> {
        self.inner.leases_due_except(now, except, limit).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        self.inner.next_due().await
    }

    async fn token(&self, digest: &str) -> Result<Option<TokenRow>> {
        let found = self.inner.token(digest).await;
        let hold = self.hold_token.lock().unwrap().take();
        if let Some(hold) = hold {
            hold.wait().await;
        }
        found
    }

    async fn token_by_accessor(&self, accessor_key: &str) -> Result<Option<TokenRow>> {
        self.inner.token_by_accessor(accessor_key).await
    }

    async fn tokens(&self, after: Option<&str>, limit: usize) -> Result<Vec<TokenRow>> {
        self.inner.tokens(after, limit).await
    }

    async fn token_children(&self, parent: &str, limit: usize) -> Result<Vec<TokenRow>> {
        self.inner.token_children(parent, limit).await
    }

    async fn tokens_due(&self, now: Timestamp, limit: usize) -> Result<Vec<TokenRow>> {
        self.inner.tokens_due(now, limit).await
    }

    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.inner.meta(key).await
    }

    async fn set_meta(&self, values: Vec<(String, Vec<u8>)>) -> Result<()> {
        let breaks = {
            let mut fail = self.fail_meta.lock().unwrap();
            let hit = fail.as_ref().is_some_and(|key| values.iter().any(|(k, _)| k == key));
            if hit {
                *fail = None;
            }
            hit
        };
        if breaks {
            return Err(Error::unavailable("the store broke"));
        }
        self.inner.set_meta(values).await
    }

    fn kind(&self) -> &'static str {
        "inmem"
    }
}
