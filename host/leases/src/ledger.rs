//! The ledger itself: what it holds, and how leases are found.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cofferdam_crypto::Key;
use cofferdam_crypto::digest::keyed_digest;
use cofferdam_model::engine::{CallError, Done, Ended, EngineLease, Renewed};
use cofferdam_model::{Clock, Error, Result};
use cofferdam_storage::Storage;
use cofferdam_storage::port::{LeaseFilter, LeaseState};
use tokio::sync::Notify;

use crate::breaker::Breakers;
use crate::claim::Claims;
use crate::record::Lease;

/// How the ledger reaches the engine that a lease was made by. `core` implements it.
#[async_trait]
pub trait Backends: Send + Sync {
    /// Ends the lease's credential in its backend.
    async fn revoke(&self, lease: &Lease) -> Result<Ended, CallError>;
    /// Extends it; `lease.expires_at` is the new end already.
    async fn renew(&self, lease: &Lease, extended: EngineLease) -> Result<Done<Renewed>, CallError>;
    /// The row of a lease of this mount (uuid), backend and generation is gone. What was kept only for it may go.
    async fn released(&self, mount: &str, backend: &str, generation: u64);
}

/// Numbers of the ledger.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Revocations under way at once, in all.
    pub concurrent: usize,
    /// Revocations under way at once on one backend.
    pub concurrent_per_backend: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { concurrent: 8, concurrent_per_backend: 4 }
    }
}

/// What became of leases.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Handed out.
    pub(crate) issued: AtomicU64,
    pub(crate) renewed: AtomicU64,
    /// Intended, and not handed out.
    pub(crate) failed: AtomicU64,
    /// Their rows are gone.
    pub(crate) removed: AtomicU64,
}

/// The lease ledger.
pub struct Ledger {
    pub(crate) storage: Storage,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) backends: Arc<dyn Backends>,
    pub(crate) breakers: Breakers,
    /// Wakes the worker when something became due earlier than it knew.
    pub(crate) wake: Notify,
    pub(crate) claims: Claims,
    pub(crate) events: Events,
    object_key: Key,
    /// Of this cluster; part of every stamp.
    cluster_id: String,
}

impl Ledger {
    /// `root` is a key of the barrier.
    pub fn new(
        storage: Storage,
        clock: Arc<dyn Clock>,
        backends: Arc<dyn Backends>,
        root: &Key,
        cluster_id: String,
        settings: Settings,
    ) -> Arc<Self> {
        Arc::new(Self {
            storage,
            clock,
            backends,
            breakers: Breakers::new(settings.concurrent, settings.concurrent_per_backend),
            wake: Notify::new(),
            claims: Claims::default(),
            events: Events::default(),
            object_key: root.derive("lease object"),
            cluster_id,
        })
    }

    /// One lease.
    ///
    /// # Errors
    /// Store trouble, or a row that does not read.
    pub async fn get(&self, id: &str) -> Result<Option<Lease>> {
        self.storage.lease(id).await?.map(Lease::open).transpose()
    }

    /// The lease, if a client may still rely on it.
    ///
    /// # Errors
    /// As [`Ledger::get`].
    pub async fn active(&self, id: &str) -> Result<Option<Lease>> {
        let now = self.clock.now();
        let lease = self.get(id).await?.filter(|l| l.state == LeaseState::Active && l.record.expires_at > now);
        Ok(lease.filter(|l| l.record.shelved.is_none()))
    }

    /// Names below a prefix of lease ids, folders with a slash.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn names(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        self.storage.lease_names(prefix, after, limit).await
    }

    /// How many leases the filter finds.
    ///
    /// # Errors
    /// Store trouble.
    pub async fn count(&self, filter: &LeaseFilter) -> Result<i64> {
        self.storage.count_leases(filter).await
    }

    /// Leases that the filter finds, sorted by id. Rows that do not read are left out (and logged).
    ///
    /// # Errors
    /// Store trouble.
    pub async fn find(&self, filter: &LeaseFilter, limit: usize) -> Result<Vec<Lease>> {
        Ok(open_all(self.storage.leases(filter, limit).await?))
    }

    /// The unique key of an object: nobody else may have it while a lease of it lives. `identity` names the backend
    /// itself (its address), so that two mounts on one server exclude each other.
    pub(crate) fn object_key(&self, identity: &str, object: &str) -> String {
        keyed_digest(&self.object_key, format!("{}:{identity}{object}", identity.len()))
    }

    /// What the engine writes onto the object: `cofferdam:<cluster>/<mount>/<lease>`, the lease by its random part.
    pub(crate) fn stamp(&self, mount: &str, unique: &str) -> String {
        format!("cofferdam:{}/{mount}/{unique}", self.cluster_id)
    }

    /// What became of leases since the unseal, by name.
    pub fn events(&self) -> [(&'static str, u64); 4] {
        let Events { issued, renewed, failed, removed } = &self.events;
        [("issued", issued), ("renewed", renewed), ("failed", failed), ("removed", removed)]
            .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    /// The backends (mount's uuid and name) that did not answer last and are left alone for a while.
    pub fn open_breakers(&self) -> Vec<(String, String)> {
        self.breakers.open(self.clock.proven())
    }

    /// Makes the worker look at the queue now: for whoever moved the clock, or a row, from elsewhere.
    pub fn look(&self) {
        self.wake.notify_one();
    }
}

/// Opens rows; one that does not read is logged and left out, and stops nothing else.
pub(crate) fn open_all(rows: Vec<cofferdam_storage::port::LeaseRow>) -> Vec<Lease> {
    rows.into_iter()
        .filter_map(|row| Lease::open(row).inspect_err(|e: &Error| tracing::error!(error = %e, "lease left out")).ok())
        .collect()
}
