//! Taking back: state first, then the backend, then the row, as often as it needs.

use cofferdam_model::engine::{CallError, Cause, Ended};
use cofferdam_model::{Error, ErrorKind, Result};
use cofferdam_storage::port::{Batch, LeaseFilter, LeaseState, Op, Outcome};
use futures::StreamExt;
use futures::stream;

use crate::breaker::retry_after;
use crate::ledger::{Ledger, open_all};
use crate::record::{Lease, LeaseRecord};

const PAGE: usize = 500;
/// Seconds until a blocked lease is looked at again.
const BLOCKED_RETRY: i64 = 3_600;

/// What became of one attempt.
pub(crate) enum Attempt {
    /// The row is gone.
    Gone,
    /// Not seen in the backend; looked at again until it can no longer appear. For the client that is done.
    Settling,
    /// To be tried again.
    Failed(Error),
}

impl Ledger {
    /// Marks a lease as being taken back, due now. None: there is no such lease. The version moves first, so that no
    /// renewal and no activation can win any more.
    pub(crate) async fn condemn(
        &self,
        id: &str,
        learn: impl Fn(&mut LeaseRecord) + Send + Sync,
    ) -> Result<Option<Lease>> {
        loop {
            let Some(lease) = self.get(id).await? else { return Ok(None) };
            let next = condemned(&lease, self.clock.now(), &learn);
            let ops = vec![Op::UpdateLease { expect: lease.version, row: next.row()? }];
            if self.storage.apply(Batch { checks: Vec::new(), ops }).await? == Outcome::Applied {
                return Ok(Some(next));
            }
        }
    }

    /// Condemns exactly the row that was seen. None: it moved meanwhile.
    pub(crate) async fn expire(&self, lease: &Lease) -> Result<Option<Lease>> {
        let next = condemned(lease, self.clock.now(), &|_| {});
        let ops = vec![Op::UpdateLease { expect: lease.version, row: next.row()? }];
        let outcome = self.storage.apply(Batch { checks: Vec::new(), ops }).await?;
        Ok((outcome == Outcome::Applied).then_some(next))
    }

    /// Takes one lease back. With `sync`, answers when its credential is gone; without, when that is durable as due.
    ///
    /// # Errors
    /// The backend's failure (the lease stays due then); store trouble.
    pub async fn revoke(&self, id: &str, sync: bool) -> Result<()> {
        let Some(lease) = self.condemn(id, |_| {}).await? else { return Ok(()) };
        self.finish(vec![lease], sync, false).await
    }

    /// Takes back everything that the filter finds. `force`: forgets also what the backend will not give back.
    ///
    /// # Errors
    /// The first failure (all leases stay due then); store trouble.
    pub async fn revoke_all(&self, filter: LeaseFilter, sync: bool, force: bool) -> Result<()> {
        let mut filter = filter;
        let mut first = Ok(());
        loop {
            let page = open_all(self.storage.leases(&filter, PAGE).await?);
            let Some(last) = page.last() else { return first };
            filter.after = Some(last.id.clone());
            let mut condemned = Vec::with_capacity(page.len());
            for lease in self.condemn_page(page).await? {
                condemned.push(lease);
            }
            let result = self.finish(condemned, sync, force).await;
            if first.is_ok() {
                first = result;
            }
        }
    }

    /// One commit for a whole page; leases that moved meanwhile are condemned one by one.
    async fn condemn_page(&self, page: Vec<Lease>) -> Result<Vec<Lease>> {
        let now = self.clock.now();
        let next: Vec<Lease> = page.iter().map(|l| condemned(l, now, &|_| {})).collect();
        let ops = page
            .iter()
            .zip(&next)
            .map(|(old, new)| Ok(Op::UpdateLease { expect: old.version, row: new.row()? }))
            .collect::<Result<Vec<_>>>()?;
        if self.storage.apply(Batch { checks: Vec::new(), ops }).await? == Outcome::Applied {
            return Ok(next);
        }
        let mut out = Vec::with_capacity(page.len());
        for lease in page {
            out.extend(self.condemn(&lease.id, |_| {}).await?);
        }
        Ok(out)
    }

    async fn finish(&self, leases: Vec<Lease>, sync: bool, force: bool) -> Result<()> {
        if !sync && !force {
            self.wake.notify_one();
            return Ok(());
        }
        let attempts: Vec<Result<()>> = stream::iter(leases)
            .map(|lease| async move {
                match self.attempt(&lease, false).await {
                    Attempt::Failed(_) if force => self.abandon(&lease.id).await,
                    Attempt::Failed(why) => Err(why),
                    Attempt::Gone | Attempt::Settling => Ok(()),
                }
            })
            .buffer_unordered(self.permits.available_permits().max(1))
            .collect()
            .await;
        attempts.into_iter().find(Result::is_err).unwrap_or(Ok(()))
    }

    /// An operator's explicit word: the row goes although the backend still has, or may have, the object.
    async fn abandon(&self, id: &str) -> Result<()> {
        while let Some(lease) = self.get(id).await? {
            tracing::warn!(lease = id, object = lease.record.object, "forgotten by force; the backend may still hold it");
            if self.remove(&lease).await? {
                break;
            }
        }
        Ok(())
    }

    /// One attempt on a condemned lease. `patient`: respects an open breaker.
    pub(crate) async fn attempt(&self, lease: &Lease, patient: bool) -> Attempt {
        let Some(_claim) = self.claim(&lease.id) else {
            return self.await_other(&lease.id).await;
        };
        let key = (lease.mount.clone(), lease.backend.clone());
        let now = self.clock.now();
        if patient && let Some(until) = self.breakers.open_until(&key, now) {
            return self.reschedule(lease, LeaseState::Revoking, until.seconds_since(now).max(1), None).await;
        }
        let permits = self.breakers.permits(&key);
        let Ok(_permit) = permits.acquire().await else { return Attempt::Failed(Error::internal("permits closed")) };
        // While it waited, another task may have finished it.
        let lease = match self.get(&lease.id).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Attempt::Gone,
            Err(e) => return Attempt::Failed(e),
        };
        let answer = self.backends.revoke(&lease).await;
        let now = self.clock.now();
        match answer {
            Ok(ended) => {
                self.breakers.close(&key);
                let decided = lease.record.confirmed || ended == Ended::Removed || now >= lease.settled_at();
                if decided {
                    return match self.remove(&lease).await {
                        Ok(true) => Attempt::Gone,
                        Ok(false) => Attempt::Failed(Error::unavailable("the lease changed at the same moment")),
                        Err(e) => Attempt::Failed(e),
                    };
                }
                let wait = lease.settled_at().seconds_since(now).max(1);
                self.reschedule(&lease, LeaseState::Settling, wait, None).await
            }
            Err(CallError::Failure(f)) if f.cause == Cause::Unreachable => {
                let until = self.breakers.trip(&key, now);
                self.reschedule(&lease, LeaseState::Revoking, until.seconds_since(now).max(1), Some((f.message, 0))).await
            }
            Err(CallError::Failure(f)) if f.cause == Cause::Conflict => {
                tracing::error!(lease = lease.id, reason = f.message, "lease blocked: an operator must look");
                self.reschedule(&lease, LeaseState::Blocked, BLOCKED_RETRY, Some((f.message, 1))).await
            }
            Err(CallError::Failure(f)) => {
                let wait = f.retry_after.and_then(|s| i64::try_from(s).ok());
                let wait = wait.unwrap_or(0).max(retry_after(lease.record.attempts + 1));
                self.reschedule(&lease, LeaseState::Revoking, wait, Some((f.message, 1))).await
            }
            Err(CallError::Fault(e) | CallError::Host(e)) => {
                let wait = retry_after(lease.record.attempts + 1);
                self.reschedule(&lease, LeaseState::Revoking, wait, Some((e.messages.join("; "), 1))).await
            }
        }
    }

    /// Another task of this process works on the lease: its result is ours.
    async fn await_other(&self, id: &str) -> Attempt {
        const LOOKS: u32 = 600;
        for _ in 0..LOOKS {
            if !self.is_claimed(id) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        match self.get(id).await {
            Ok(None) => Attempt::Gone,
            Ok(Some(lease)) if lease.state == LeaseState::Settling => Attempt::Settling,
            Ok(Some(lease)) => Attempt::Failed(failed(&lease, lease.record.last_error.as_deref())),
            Err(e) => Attempt::Failed(e),
        }
    }

    /// Removes the row and lets go of what was kept only for it. False: the row moved meanwhile.
    async fn remove(&self, lease: &Lease) -> Result<bool> {
        let ops = vec![Op::DeleteLease { id: lease.id.clone(), expect: lease.version }];
        let removed = self.storage.apply(Batch { checks: Vec::new(), ops }).await? == Outcome::Applied;
        if removed {
            self.backends.released(lease).await;
        }
        Ok(removed)
    }

    async fn reschedule(
        &self,
        lease: &Lease,
        state: LeaseState,
        wait_seconds: i64,
        error: Option<(String, u32)>,
    ) -> Attempt {
        let mut next = lease.clone();
        next.state = state;
        next.version = lease.version + 1;
        next.due_at = Some(self.clock.now().plus_seconds(wait_seconds));
        if let Some((message, counted)) = error {
            next.record.attempts = next.record.attempts.saturating_add(counted);
            next.record.last_error = Some(message);
        }
        let row = match next.row() {
            Ok(row) => row,
            Err(e) => return Attempt::Failed(e),
        };
        let ops = vec![Op::UpdateLease { expect: lease.version, row }];
        if let Err(e) = self.storage.apply(Batch { checks: Vec::new(), ops }).await {
            return Attempt::Failed(e);
        }
        if state == LeaseState::Settling {
            return Attempt::Settling;
        }
        Attempt::Failed(failed(&next, next.record.last_error.as_deref()))
    }
}

fn condemned(
    lease: &Lease,
    now: cofferdam_model::Timestamp,
    learn: &(impl Fn(&mut LeaseRecord) + Send + Sync),
) -> Lease {
    let mut next = lease.clone();
    learn(&mut next.record);
    next.version = lease.version + 1;
    next.state = LeaseState::Revoking;
    next.due_at = Some(now);
    next
}

fn failed(lease: &Lease, why: Option<&str>) -> Error {
    Error::new(
        ErrorKind::Backend,
        format!("failed to revoke {:?}; it stays due: {}", lease.id, why.unwrap_or("it is being tried")),
    )
}
