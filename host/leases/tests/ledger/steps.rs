//! Where a process may die: before and after each write and each call of a backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cofferdam_model::view::Version;
use cofferdam_model::{Error, Result, Timestamp};
use cofferdam_storage::port::{Batch, LeaseFilter, LeaseRow, Outcome, Physical, StoredEntry, TokenRow};
use tokio::sync::Notify;

/// Counts steps; the one of number `dies_at` never ends.
#[derive(Default)]
pub(crate) struct Steps {
    passed: AtomicU64,
    dies_at: AtomicU64,
    pub(crate) dead: Notify,
}

impl Steps {
    /// From now on the step of this number (from 1; 0: none) is where the process dies.
    pub(crate) fn die_at(&self, step: u64) {
        self.passed.store(0, Ordering::SeqCst);
        self.dies_at.store(step, Ordering::SeqCst);
    }

    pub(crate) async fn pass(&self) {
        let step = self.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let dies_at = self.dies_at.load(Ordering::SeqCst);
        if dies_at != 0 && step >= dies_at {
            self.dead.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// How a store takes the writes that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    Well = 0,
    /// Refused, nothing is written.
    Refused = 1,
    /// Written, and answered with an error.
    Mute = 2,
}

/// A store whose writes are steps.
pub(crate) struct Stepped {
    pub(crate) below: Arc<dyn Physical>,
    pub(crate) backend: Arc<crate::backend::Backend>,
    writes: AtomicU64,
    /// Writes that still go well before `writes` counts.
    after: AtomicU64,
}

impl Stepped {
    pub(crate) fn new(below: Arc<dyn Physical>, backend: Arc<crate::backend::Backend>) -> Self {
        Self { below, backend, writes: AtomicU64::new(0), after: AtomicU64::new(0) }
    }

    /// After so many more writes they go like this.
    pub(crate) fn set_writes(&self, after: u64, writes: Writes) {
        self.after.store(after, Ordering::SeqCst);
        self.writes.store(writes as u64, Ordering::SeqCst);
    }
}

#[async_trait]
impl Physical for Stepped {
    async fn apply(&self, batch: Batch) -> Result<Outcome> {
        self.backend.steps.pass().await;
        let well = self.after.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        let writes = if well { 0 } else { self.writes.load(Ordering::SeqCst) };
        if writes == Writes::Refused as u64 {
            return Err(Error::unavailable("the disk is full"));
        }
        let outcome = self.below.apply(batch).await;
        self.backend.steps.pass().await;
        if writes == Writes::Mute as u64 {
            return Err(Error::unavailable("the sync failed"));
        }
        outcome
    }

    async fn entry(&self, space: &str, key: &str) -> Result<Option<StoredEntry>> {
        self.below.entry(space, key).await
    }
    async fn entries(&self, space: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<StoredEntry>> {
        self.below.entries(space, prefix, after, limit).await
    }
    async fn names(&self, space: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.below.names(space, prefix, after, limit).await
    }
    async fn range(&self, space: &str, prefix: &str) -> Result<(i64, Version)> {
        self.below.range(space, prefix).await
    }
    async fn lease(&self, id: &str) -> Result<Option<LeaseRow>> {
        self.below.lease(id).await
    }
    async fn leases(&self, filter: &LeaseFilter, limit: usize) -> Result<Vec<LeaseRow>> {
        self.below.leases(filter, limit).await
    }
    async fn count_leases(&self, filter: &LeaseFilter) -> Result<i64> {
        self.below.count_leases(filter).await
    }
    async fn lease_names(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.below.lease_names(prefix, after, limit).await
    }
    async fn leases_due(&self, now: Timestamp, limit: usize) -> Result<Vec<LeaseRow>> {
        self.below.leases_due(now, limit).await
    }
    async fn leases_due_except(
        &self,
        now: Timestamp,
        except: &[(String, String)],
        limit: usize,
    ) -> Result<Vec<LeaseRow>> {
        self.below.leases_due_except(now, except, limit).await
    }
    async fn next_due(&self) -> Result<Option<Timestamp>> {
        self.below.next_due().await
    }
    async fn token(&self, digest: &str) -> Result<Option<TokenRow>> {
        self.below.token(digest).await
    }
    async fn token_by_accessor(&self, accessor_key: &str) -> Result<Option<TokenRow>> {
        self.below.token_by_accessor(accessor_key).await
    }
    async fn tokens(&self, after: Option<&str>, limit: usize) -> Result<Vec<TokenRow>> {
        self.below.tokens(after, limit).await
    }
    async fn token_children(&self, parent: &str, limit: usize) -> Result<Vec<TokenRow>> {
        self.below.token_children(parent, limit).await
    }
    async fn tokens_due(&self, now: Timestamp, limit: usize) -> Result<Vec<TokenRow>> {
        self.below.tokens_due(now, limit).await
    }
    async fn meta(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.below.meta(key).await
    }
    async fn set_meta(&self, values: Vec<(String, Vec<u8>)>) -> Result<()> {
        self.below.set_meta(values).await
    }
    fn kind(&self) -> &'static str {
        self.below.kind()
    }
}
