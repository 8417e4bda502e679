//! The due queue's worker: no start-up step, no memory that grows with the leases; recovery after a crash is the same
//! queue.
//!
//! The worker never waits for a backend. It hands due leases to tasks, a bounded number for each backend, and reads the
//! queue without those backends that take no more or do not answer: they hold up nobody else.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use cofferdam_model::{Error, Result};
use cofferdam_storage::port::{Batch, LeaseRow, LeaseState, Op};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use crate::breaker::BackendKey;
use crate::ledger::Ledger;
use crate::record::Lease;
use crate::revoke::{Attempt, BLOCKED_RETRY};

/// The worker looks at the queue at least this often.
pub(crate) const NAP_MAX_SECONDS: i64 = 5;
/// How soon it looks again while something is due that cannot be begun now.
const NAP_BUSY: Duration = Duration::from_millis(200);
/// The same where the queue cannot be read, or has to be searched behind backends that do not answer.
const NAP_HELD: Duration = Duration::from_secs(1);
/// Leases in work or waiting for a permit, of one backend and in all.
const LANE: usize = 64;
const QUEUE: usize = 256;
/// More than are ever in work: what is in work is still due, and must not hide the rest.
const PAGE: usize = QUEUE + LANE;
/// Backends left out of one search of the queue.
const EXCEPT_MAX: usize = 1_000;

impl Ledger {
    /// Works until `stop` becomes true (or its sender goes), then ends what is under way. Serving comes first: at most
    /// `Settings::concurrent` revocations run at once.
    pub async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut worker = Worker::new(self);
        while !*stop.borrow_and_update() && stop.has_changed().is_ok() {
            let nap = worker.refill().await;
            worker.rest(nap, &mut stop).await;
        }
        worker.finish().await;
    }

    /// What is due moves one step on. False: it is as due as before.
    async fn advance(&self, lease: Lease) -> bool {
        let lease = match lease.state {
            // A renewal or a revocation that came in between has moved the row: then this is no longer ours to do.
            LeaseState::Pending | LeaseState::Active => match self.expire(&lease).await {
                Ok(Some(condemned)) => condemned,
                Ok(None) => return true,
                Err(e) => {
                    tracing::error!(lease = lease.id, error = %e, "a due lease cannot be condemned");
                    return false;
                }
            },
            LeaseState::Revoking | LeaseState::Settling | LeaseState::Blocked => lease,
        };
        match self.attempt(&lease, true).await {
            Attempt::Gone | Attempt::Settling | Attempt::Shut => true,
            Attempt::Failed(e) => {
                tracing::warn!(lease = lease.id, error = %e, "revocation to be tried again");
                true
            }
            Attempt::Stuck(e) => {
                tracing::error!(lease = lease.id, error = %e, "the outcome of a revocation is not recorded");
                false
            }
        }
    }

    /// A row that opens and does not read waits, so that it stops nothing else.
    async fn put_off(&self, row: LeaseRow, why: &Error) -> Result<()> {
        tracing::error!(error = %why, "a lease that does not read is put off");
        let due_at = Some(self.clock.proven().plus_seconds(BLOCKED_RETRY));
        let next = LeaseRow { state: LeaseState::Blocked, version: row.version + 1, due_at, ..row };
        let ops = vec![Op::UpdateLease { expect: next.version - 1, row: next }];
        self.storage.apply(Batch { checks: Vec::new(), ops }).await.map(|_| ())
    }
}

struct Work {
    lease: String,
    backend: BackendKey,
}

struct Worker {
    ledger: Arc<Ledger>,
    tasks: JoinSet<bool>,
    work: HashMap<Id, Work>,
    leases: HashSet<String>,
    lanes: HashMap<BackendKey, usize>,
    /// Backends that had more than their lane takes, and whether there was more than the queue takes.
    full: HashSet<BackendKey>,
    queue_full: bool,
}

impl Worker {
    fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            tasks: JoinSet::new(),
            work: HashMap::new(),
            leases: HashSet::new(),
            lanes: HashMap::new(),
            full: HashSet::new(),
            queue_full: false,
        }
    }

    /// Begins what is due and can be begun; answers how long there will be nothing else to do.
    async fn refill(&mut self) -> Duration {
        self.full.clear();
        self.queue_full = false;
        loop {
            match self.page().await {
                Ok(true) => {}
                Ok(false) => return self.nap().await,
                Err(e) => {
                    tracing::error!(error = %e, "the lease queue cannot be read");
                    return NAP_HELD;
                }
            }
        }
    }

    /// Begins one page of what is due. True: there may be more behind it that can be begun.
    async fn page(&mut self) -> Result<bool> {
        let except = self.held_back();
        let rows = self.ledger.storage.leases_due_except(self.ledger.clock.proven(), &except, PAGE).await?;
        let page_full = rows.len() == PAGE;
        let mut moved = false;
        for row in rows {
            if self.leases.contains(&row.id) {
                continue;
            }
            if self.tasks.len() >= QUEUE {
                self.queue_full = true;
                return Ok(false);
            }
            let backend = (row.mount.clone(), row.backend.clone());
            if self.lane(&backend) >= self.width(&backend) {
                moved |= self.full.insert(backend);
                continue;
            }
            match Lease::open(row.clone()) {
                Ok(lease) => self.begin(lease, backend),
                Err(e) => self.ledger.put_off(row, &e).await?,
            }
            moved = true;
        }
        Ok(page_full && moved && except.len() < EXCEPT_MAX)
    }

    /// Backends that take nothing now.
    fn held_back(&self) -> Vec<BackendKey> {
        let mut except = self.ledger.breakers.open(self.ledger.clock.proven());
        let full = self.lanes.iter().filter(|(key, lane)| **lane >= self.width(key)).map(|(key, _)| key.clone());
        except.extend(full);
        except.truncate(EXCEPT_MAX);
        except
    }

    fn lane(&self, backend: &BackendKey) -> usize {
        self.lanes.get(backend).copied().unwrap_or(0)
    }

    /// One lease finds out whether a backend that failed answers again.
    fn width(&self, backend: &BackendKey) -> usize {
        if self.ledger.breakers.is_suspect(backend) { 1 } else { LANE }
    }

    fn begin(&mut self, lease: Lease, backend: BackendKey) {
        let (ledger, id) = (self.ledger.clone(), lease.id.clone());
        let task = self.tasks.spawn(async move { ledger.advance(lease).await });
        self.leases.insert(id.clone());
        *self.lanes.entry(backend.clone()).or_default() += 1;
        self.work.insert(task.id(), Work { lease: id, backend });
    }

    /// Until the nap is over, somebody wakes the worker, or there is room for what had none.
    async fn rest(&mut self, nap: Duration, stop: &mut watch::Receiver<bool>) {
        let ledger = self.ledger.clone();
        let mut over = std::pin::pin!(tokio::time::sleep(nap));
        loop {
            tokio::select! {
                () = &mut over => return,
                () = ledger.wake.notified() => return,
                _ = stop.changed() => return,
                Some(ended) = self.tasks.join_next_with_id() => {
                    if self.ended(ended) {
                        return;
                    }
                }
            }
        }
    }

    /// Keeps the books of a task that ended. True: there is room again for what had none.
    fn ended(&mut self, ended: Result<(Id, bool), JoinError>) -> bool {
        let (id, advanced) = match ended {
            Ok(ended) => ended,
            Err(e) => {
                tracing::error!(error = %e, "a task of the lease queue broke");
                (e.id(), false)
            }
        };
        let Some(Work { lease, backend }) = self.work.remove(&id) else { return false };
        self.leases.remove(&lease);
        let left = self.lane(&backend).saturating_sub(1);
        if left == 0 {
            self.lanes.remove(&backend);
        } else {
            self.lanes.insert(backend.clone(), left);
        }
        if !advanced {
            // It is still at the head of the queue: a pause, so that this is not tried again at once, for ever.
            self.ledger.breakers.trip(&backend, self.ledger.clock.proven());
        }
        (self.queue_full && self.tasks.len() <= QUEUE / 2)
            || (self.full.contains(&backend) && left <= self.width(&backend) / 2)
    }

    /// Until the next lease is due, at most a few seconds.
    async fn nap(&self) -> Duration {
        let most = Duration::from_secs(NAP_MAX_SECONDS.unsigned_abs());
        let now = self.ledger.clock.proven();
        match self.ledger.storage.next_due().await {
            Ok(Some(due)) if due > now => {
                Duration::from_nanos(u64::try_from(due.0.saturating_sub(now.0)).unwrap_or(0)).min(most)
            }
            // Due, and not to be begun: in work, held back, or a token (which is not ours).
            Ok(Some(_)) if self.ledger.breakers.open(now).is_empty() => NAP_BUSY,
            Ok(Some(_)) | Err(_) => NAP_HELD,
            Ok(None) => most,
        }
    }

    async fn finish(mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended);
        }
    }
}
