//! Taking one lease back: state first, then the backend, then the row, as often as it needs.

use std::panic::AssertUnwindSafe;

use cofferdam_failpoints::point;
use cofferdam_model::engine::{CallError, Cause, Ended, Failure};
use cofferdam_model::{Error, ErrorKind, Result};
use cofferdam_storage::port::{Batch, LeaseState, Op, Outcome};
use futures::FutureExt;

use crate::breaker::{BackendKey, retry_after};
use crate::ledger::Ledger;
use crate::record::{Lease, LeaseRecord};

/// Seconds until a blocked lease is looked at again. A backend cannot ask for a longer pause either.
pub(crate) const BLOCKED_RETRY: i64 = 3_600;
/// How often one attempt begins anew because the row moved under it.
const ROUNDS: u32 = 8;

/// What became of one attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The row is gone.
    Gone,
    /// Not in the backend now; looked at again until it can no longer appear. For the client that is done.
    Settling,
    /// Not asked: the backend's breaker is open.
    Shut,
    /// To be tried again, as the row says.
    Failed(Error),
    /// The row could not be read or written: it is as due as before.
    Stuck(Error),
}

/// What an answer of the backend makes of the row.
enum Next {
    Gone,
    Later { state: LeaseState, wait: i64, error: Option<(String, u32)> },
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
            let mut next = self.condemned(&lease);
            learn(&mut next.record);
            if self.is_condemned(&lease) && next.record == lease.record {
                return Ok(Some(lease));
            }
            if self.update(&lease, &next).await? {
                return Ok(Some(next));
            }
        }
    }

    /// The lease as it is once condemned: due now, by the queue's own time.
    pub(crate) fn condemned(&self, lease: &Lease) -> Lease {
        Lease {
            version: lease.version + 1,
            state: LeaseState::Revoking,
            due_at: Some(self.clock.proven()),
            ..lease.clone()
        }
    }

    /// Whether there is nothing to add: a row that moves again would only disturb whoever works on it.
    pub(crate) fn is_condemned(&self, lease: &Lease) -> bool {
        lease.state == LeaseState::Revoking && lease.due_at.is_some_and(|due| due <= self.clock.proven())
    }

    /// Condemns exactly the row that was seen. None: it moved meanwhile.
    pub(crate) async fn expire(&self, lease: &Lease) -> Result<Option<Lease>> {
        let next = self.condemned(lease);
        Ok(self.update(lease, &next).await?.then_some(next))
    }

    /// Takes one lease back. With `sync`, answers when its credential is gone; without, when that is durable as due.
    ///
    /// # Errors
    /// The backend's failure (the lease stays due then); store trouble.
    pub async fn revoke(&self, id: &str, sync: bool) -> Result<()> {
        let Some(lease) = self.condemn(id, |_| {}).await? else { return Ok(()) };
        if !sync {
            self.wake.notify_one();
            return Ok(());
        }
        self.attempt(&lease, false).await.told(&lease)
    }

    /// One attempt on a condemned lease. `patient`: leaves a backend alone whose breaker is open.
    pub(crate) async fn attempt(&self, lease: &Lease, patient: bool) -> Attempt {
        if lease.record.ends_itself {
            return self.let_go(lease).await;
        }
        let key = (lease.mount.clone(), lease.backend.clone());
        for _ in 0..ROUNDS {
            let _claim = match self.claims.take(&lease.id) {
                Ok(claim) => claim,
                Err(taken) => {
                    taken.ended().await;
                    match self.get(&lease.id).await {
                        Ok(None) => return Attempt::Gone,
                        Ok(Some(now)) if now.state == LeaseState::Settling => return Attempt::Settling,
                        // Nobody was told anything: the row moved under the other one, or its turn did not come.
                        Ok(Some(now)) if self.is_condemned(&now) => continue,
                        // What the other one was told counts for this one too.
                        Ok(Some(now)) => return failed(&now),
                        Err(e) => return Attempt::Stuck(e),
                    }
                }
            };
            let _pass = match self.breakers.enter(&key, patient, &*self.clock).await {
                Ok(pass) => pass,
                Err(_) => return Attempt::Shut,
            };
            // While it waited, another task may have finished it.
            let seen = match self.get(&lease.id).await {
                Ok(Some(seen)) => seen,
                Ok(None) => return Attempt::Gone,
                Err(e) => return Attempt::Stuck(e),
            };
            match self.ask(&seen, &key).await {
                Ok(Some(attempt)) => return attempt,
                // The row moved under the call: what was seen may be older than what is written there now.
                Ok(None) => {}
                Err(e) => {
                    // The answer is lost with the row as it was: a pause, so that the same is not asked at once again.
                    self.breakers.trip(&key, self.clock.proven());
                    return Attempt::Stuck(e);
                }
            }
        }
        Attempt::Stuck(changes_again(lease))
    }

    /// Nothing can end the credential before it ends by itself: only the row goes.
    async fn let_go(&self, lease: &Lease) -> Attempt {
        let mut seen = lease.clone();
        for _ in 0..ROUNDS {
            match self.remove(&seen).await {
                Ok(true) => return Attempt::Gone,
                Ok(false) => {}
                Err(e) => return Attempt::Stuck(e),
            }
            seen = match self.get(&lease.id).await {
                Ok(Some(seen)) => seen,
                Ok(None) => return Attempt::Gone,
                Err(e) => return Attempt::Stuck(e),
            };
        }
        Attempt::Stuck(changes_again(lease))
    }

    /// Asks the backend and writes down what it said. None: the row moved meanwhile.
    async fn ask(&self, lease: &Lease, key: &BackendKey) -> Result<Option<Attempt>> {
        point!("revoke.condemned");
        // A panic below the port must not look as if nobody had asked.
        let answer = AssertUnwindSafe(self.backends.revoke(lease)).catch_unwind().await;
        let answer = answer.unwrap_or_else(|_| Err(CallError::Fault(Error::internal("the engine's port broke"))));
        point!("revoke.ended");
        let next = self.judge(lease, key, answer);
        let (state, wait, error) = match next {
            Next::Gone => return Ok(self.remove(lease).await?.then_some(Attempt::Gone)),
            Next::Later { state, wait, error } => (state, wait, error),
        };
        let mut next = lease.clone();
        next.state = state;
        next.version = lease.version + 1;
        next.due_at = Some(self.clock.proven().plus_seconds(wait));
        if let Some((message, counted)) = error {
            next.record.attempts = next.record.attempts.saturating_add(counted);
            next.record.last_error = Some(message);
        }
        if !self.update(lease, &next).await? {
            return Ok(None);
        }
        Ok(Some(if state == LeaseState::Settling { Attempt::Settling } else { failed(&next) }))
    }

    fn judge(&self, lease: &Lease, key: &BackendKey, answer: Result<Ended, CallError>) -> Next {
        let now = self.clock.proven();
        let later =
            |wait, message, counted| Next::Later { state: LeaseState::Revoking, wait, error: Some((message, counted)) };
        let backoff = || retry_after(lease.record.attempts.saturating_add(1));
        match answer {
            // What a create of unknown outcome made is gone; what it may still make is not. Only a create that was seen
            // to end, or time, decides.
            Ok(Ended::Removed | Ended::Absent) => {
                self.breakers.close(key);
                if lease.record.confirmed || now >= lease.settled_at() {
                    return Next::Gone;
                }
                let wait = lease.settled_at().seconds_since(now).saturating_add(1);
                Next::Later { state: LeaseState::Settling, wait, error: None }
            }
            Err(CallError::Failure(Failure { cause: Cause::Unreachable, message, .. })) => {
                let until = self.breakers.trip(key, now);
                later(until.seconds_since(now).max(1), message, 0)
            }
            Err(CallError::Failure(Failure { cause: Cause::Conflict, message, .. })) => {
                self.breakers.close(key);
                tracing::error!(lease = lease.id, reason = message, "lease blocked: an operator must look");
                Next::Later { state: LeaseState::Blocked, wait: BLOCKED_RETRY, error: Some((message, 1)) }
            }
            Err(CallError::Failure(f)) => {
                self.breakers.close(key);
                let asked = f.retry_after.map_or(0, |s| i64::try_from(s).unwrap_or(i64::MAX));
                later(asked.min(BLOCKED_RETRY).max(backoff()), f.message, 1)
            }
            // A backend that accepts and never answers ends so, by the engine's deadline.
            Err(CallError::Fault(e)) => {
                let until = self.breakers.trip(key, now);
                later(until.seconds_since(now).max(backoff()), e.messages.join("; "), 1)
            }
            Err(CallError::Host(e) | CallError::NotStarted(e)) => later(backoff(), e.messages.join("; "), 1),
        }
    }

    /// Removes the row and lets go of what was kept only for it. False: the row moved meanwhile.
    pub(crate) async fn remove(&self, lease: &Lease) -> Result<bool> {
        let mut ops = vec![Op::DeleteLease { id: lease.id.clone(), expect: lease.version }];
        ops.extend(lease.record.shelved.as_ref().map(crate::stock::wipe));
        let removed = self.storage.apply(Batch { checks: Vec::new(), ops }).await? == Outcome::Applied;
        if removed {
            self.events.removed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            point!("revoke.removed");
            self.backends.released(&lease.mount, &lease.backend, lease.generation).await;
        }
        Ok(removed)
    }

    /// Replaces exactly the row that was seen. False: it moved meanwhile.
    async fn update(&self, seen: &Lease, next: &Lease) -> Result<bool> {
        let ops = vec![Op::UpdateLease { expect: seen.version, row: next.row()? }];
        Ok(self.storage.apply(Batch { checks: Vec::new(), ops }).await? == Outcome::Applied)
    }
}

impl Attempt {
    /// What whoever asked for the revocation is told.
    pub(crate) fn told(self, lease: &Lease) -> Result<()> {
        match self {
            Self::Gone | Self::Settling => Ok(()),
            Self::Failed(why) | Self::Stuck(why) => Err(why),
            Self::Shut => Err(not_revoked(lease, "its backend does not answer")),
        }
    }
}

fn changes_again(lease: &Lease) -> Error {
    Error::unavailable(format!("lease {} changes again and again", lease.id))
}

fn failed(lease: &Lease) -> Attempt {
    Attempt::Failed(not_revoked(lease, lease.record.last_error.as_deref().unwrap_or("it is being tried")))
}

fn not_revoked(lease: &Lease, why: &str) -> Error {
    Error::new(ErrorKind::Backend, format!("failed to revoke {:?}; it stays due: {why}", lease.id))
}
