//! The due queue's worker: no start-up step, no memory that grows with the leases; recovery after a crash is the same
//! queue.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_model::Result;
use cofferdam_storage::port::LeaseState;
use tokio::sync::watch;

use crate::ledger::{Ledger, open_all};
use crate::record::Lease;

/// The worker looks at the queue at least this often.
pub(crate) const NAP_MAX_SECONDS: i64 = 5;
const PAGE: usize = 64;

impl Ledger {
    /// Works until `stop` becomes true. Serving comes first: at most `Settings::concurrent` revocations run at once.
    pub async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let nap = match self.round().await {
                Ok(true) => Duration::ZERO,
                Ok(false) => self.nap().await,
                Err(e) => {
                    tracing::error!(error = %e, "the lease queue cannot be read");
                    Duration::from_secs(1)
                }
            };
            if nap.is_zero() {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = self.wake.notified() => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Works off one page of what is due. True: there may be more.
    async fn round(self: &Arc<Self>) -> Result<bool> {
        let rows = self.storage.leases_due(self.clock.now(), PAGE).await?;
        let full = rows.len() == PAGE;
        let mut tasks = tokio::task::JoinSet::new();
        for lease in open_all(rows) {
            if self.is_claimed(&lease.id) {
                continue;
            }
            let ledger = self.clone();
            tasks.spawn(async move {
                let Ok(_permit) = ledger.permits.acquire().await else { return };
                ledger.advance(lease).await;
            });
        }
        let worked = !tasks.is_empty();
        while tasks.join_next().await.is_some() {}
        Ok(full && worked)
    }

    /// What is due moves one step on.
    async fn advance(&self, lease: Lease) {
        let lease = match lease.state {
            // A renewal or a revocation that came in between has moved the row: then this is no longer ours to do.
            LeaseState::Pending | LeaseState::Active => match self.expire(&lease).await {
                Ok(Some(condemned)) => condemned,
                Ok(None) => return,
                Err(e) => return tracing::error!(lease = lease.id, error = %e, "a due lease cannot be condemned"),
            },
            LeaseState::Revoking | LeaseState::Settling | LeaseState::Blocked => lease,
        };
        if let crate::revoke::Attempt::Failed(e) = self.attempt(&lease, true).await {
            tracing::warn!(lease = lease.id, error = %e, "revocation to be tried again");
        }
    }

    /// Until the next lease is due, at most a few seconds.
    async fn nap(&self) -> Duration {
        let most = Duration::from_secs(NAP_MAX_SECONDS.unsigned_abs());
        match self.storage.next_due().await {
            Ok(Some(due)) => {
                let nanos = due.0.saturating_sub(self.clock.now().0);
                // What is due already and was just looked at is claimed by another task: come back soon, not at once.
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)).clamp(Duration::from_millis(20), most)
            }
            Ok(None) => most,
            Err(_) => Duration::from_secs(1),
        }
    }
}
