//! What one call may move over HTTP, and the connections that it holds: when the call is over, so are they.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use crate::leash::Leash;
use crate::policy::Limits;

/// Whose connections these are. Nobody else gets one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) mount: String,
    pub(crate) backend: String,
    pub(crate) generation: u64,
}

/// One call's share of HTTP.
pub(crate) struct Traffic {
    place: Option<Place>,
    leash: Option<Leash>,
    /// Places for requests that run at the same time.
    turns: Arc<Semaphore>,
    sent_left: AtomicU64,
    received_left: AtomicU64,
    /// How long look-up, connect and TLS may take together.
    pub(crate) connect_within: Duration,
    /// How long each part of an answer may take.
    pub(crate) wait: Duration,
    /// How many idle connections the backend may have.
    pub(crate) kept: usize,
    /// The connections in use, by number; none: the call is over.
    in_use: Mutex<Option<HashMap<u64, AbortHandle>>>,
}

impl Traffic {
    /// For one call. Without a place, no connection outlives it.
    pub(crate) fn new(limits: &Limits, place: Option<Place>, leash: Option<Leash>) -> Self {
        Self {
            place,
            leash,
            turns: Arc::new(Semaphore::new(limits.http_at_once as usize)),
            sent_left: AtomicU64::new(limits.http_body_bytes),
            received_left: AtomicU64::new(limits.http_body_bytes),
            connect_within: Duration::from_millis(limits.connect_ms),
            wait: Duration::from_millis(limits.http_wait_ms),
            kept: limits.http_kept,
            in_use: Mutex::new(Some(HashMap::new())),
        }
    }

    /// Between calls.
    pub(crate) fn none() -> Self {
        Self {
            place: None,
            leash: None,
            turns: Arc::new(Semaphore::new(0)),
            sent_left: AtomicU64::new(0),
            received_left: AtomicU64::new(0),
            connect_within: Duration::ZERO,
            wait: Duration::ZERO,
            kept: 0,
            in_use: Mutex::new(None),
        }
    }

    fn in_use(&self) -> MutexGuard<'_, Option<HashMap<u64, AbortHandle>>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Whether the call's grants are gone.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.leash.as_ref().is_some_and(Leash::is_pulled)
    }

    /// A turn for one more request, if there is one.
    pub(crate) fn begin(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// Whether so many bytes more may be sent.
    pub(crate) fn may_send(&self, bytes: usize) -> bool {
        take(&self.sent_left, bytes)
    }

    /// Whether so many bytes more may be received.
    pub(crate) fn may_receive(&self, bytes: usize) -> bool {
        take(&self.received_left, bytes)
    }

    /// Ties a connection to the call. False: the call is over, and the connection must go.
    pub(crate) fn hold(&self, connection: u64, task: AbortHandle) -> bool {
        match &mut *self.in_use() {
            Some(held) => {
                held.insert(connection, task);
                true
            }
            None => false,
        }
    }

    /// Unties it. False: the call is over, and has taken the connection along.
    pub(crate) fn let_go(&self, connection: u64) -> bool {
        self.in_use().as_mut().is_some_and(|held| held.remove(&connection).is_some())
    }

    /// Ends the call's connections.
    pub(crate) fn end(&self) {
        let held = self.in_use().take();
        for task in held.into_iter().flat_map(HashMap::into_values) {
            task.abort();
        }
    }
}

fn take(left: &AtomicU64, bytes: usize) -> bool {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::limits;

    #[test]
    fn bytes_and_turns_are_counted() {
        let traffic = Traffic::new(&Limits { http_body_bytes: 10, http_at_once: 1, ..limits() }, None, None);
        assert!(traffic.may_send(10) && !traffic.may_send(1) && traffic.may_send(0));
        assert!(!traffic.may_receive(11) && traffic.may_receive(10) && !traffic.may_receive(1));
        let turn = traffic.begin();
        assert!(turn.is_some() && traffic.begin().is_none());
        drop(turn);
        assert!(traffic.begin().is_some());
    }

    #[tokio::test]
    async fn what_a_call_holds_ends_with_it() {
        let traffic = Traffic::new(&limits(), None, None);
        let endless = || tokio::spawn(std::future::pending::<()>());
        let (kept, returned) = (endless(), endless());
        assert!(traffic.hold(1, kept.abort_handle()) && traffic.hold(2, returned.abort_handle()));
        assert!(traffic.let_go(2));
        traffic.end();
        assert!(kept.await.is_err_and(|e| e.is_cancelled()));
        assert!(!returned.is_finished());
        assert!(!traffic.let_go(1), "the call has taken it along");
        assert!(!traffic.hold(3, returned.abort_handle()), "the call is over");
    }
}
