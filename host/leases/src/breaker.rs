//! One breaker and one concurrency limit for each backend, so that a dead or a slow one costs nobody else anything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cofferdam_model::{Clock, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// A backend: (mount uuid, name).
pub(crate) type BackendKey = (String, String);

/// Seconds of the first pause after a backend did not answer; doubled each time.
const PAUSE_FIRST: i64 = 1;
const PAUSE_MAX: i64 = 60;

struct State {
    permits: Arc<Semaphore>,
    /// After a failure one caller at a time finds out whether the backend answers again.
    probe: Arc<Semaphore>,
    failures: u32,
    open_until: Timestamp,
    /// Callers inside or on their way in. Without callers and failures there is nothing to remember.
    users: usize,
}

impl State {
    fn is_open(&self, now: Timestamp) -> bool {
        // An end further away than the longest pause was written before the clock was put back.
        self.open_until > now && self.open_until <= now.plus_seconds(PAUSE_MAX)
    }
}

/// The breakers of all backends that are in use or failed last.
pub(crate) struct Breakers {
    per_backend: usize,
    /// Calls under way, in all.
    all: Semaphore,
    /// Calls under way on backends that failed last: however many of those hang, the others have the rest of `all`.
    suspects: Semaphore,
    backends: Mutex<HashMap<BackendKey, State>>,
}

impl Breakers {
    pub(crate) fn new(in_all: usize, per_backend: usize) -> Self {
        Self {
            per_backend: per_backend.max(1),
            all: Semaphore::new(in_all.max(1)),
            suspects: Semaphore::new((in_all / 2).max(1)),
            backends: Mutex::new(HashMap::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BackendKey, State>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the backend may be called. `patient`: not while its breaker is open; then the error says when to
    /// come again.
    pub(crate) async fn enter<'a>(
        &'a self,
        key: &'a BackendKey,
        patient: bool,
        clock: &dyn Clock,
    ) -> Result<Pass<'a>, Timestamp> {
        let (user, permits, probe) = self.user(key);
        // Others learn about the backend while this one waits.
        let shut = || if patient { self.open_until(key, clock.proven()).map_or(Ok(()), Err) } else { Ok(()) };
        shut()?;
        let own = permits.acquire_owned().await.ok();
        shut()?;
        let suspect = if self.is_suspect(key) {
            let probe = probe.acquire_owned().await.ok();
            shut()?;
            Some((probe, self.suspects.acquire().await.ok()))
        } else {
            None
        };
        let all = self.all.acquire().await.ok();
        shut()?;
        Ok(Pass { _own: own, _suspect: suspect, _all: all, _user: user })
    }

    fn user<'a>(&'a self, key: &'a BackendKey) -> (User<'a>, Arc<Semaphore>, Arc<Semaphore>) {
        let mut backends = self.lock();
        let state = backends.entry(key.clone()).or_insert_with(|| State {
            permits: Arc::new(Semaphore::new(self.per_backend)),
            probe: Arc::new(Semaphore::new(1)),
            failures: 0,
            open_until: Timestamp::default(),
            users: 0,
        });
        state.users += 1;
        (User { breakers: self, key }, state.permits.clone(), state.probe.clone())
    }

    /// Whether it did not answer last.
    pub(crate) fn is_suspect(&self, key: &BackendKey) -> bool {
        self.lock().get(key).is_some_and(|s| s.failures > 0)
    }

    /// When to come again, if the breaker is open.
    pub(crate) fn open_until(&self, key: &BackendKey, now: Timestamp) -> Option<Timestamp> {
        self.lock().get(key).filter(|s| s.is_open(now)).map(|s| s.open_until)
    }

    /// All backends whose breaker is open.
    pub(crate) fn open(&self, now: Timestamp) -> Vec<BackendKey> {
        self.lock().iter().filter(|(_, s)| s.is_open(now)).map(|(key, _)| key.clone()).collect()
    }

    /// The backend answered.
    pub(crate) fn close(&self, key: &BackendKey) {
        let mut backends = self.lock();
        if let Some(state) = backends.get_mut(key) {
            state.failures = 0;
            state.open_until = Timestamp::default();
            if state.users == 0 {
                backends.remove(key);
            }
        }
    }

    /// The backend did not answer: nobody patient asks it again before the returned time.
    pub(crate) fn trip(&self, key: &BackendKey, now: Timestamp) -> Timestamp {
        let (_user, ..) = self.user(key);
        let mut backends = self.lock();
        let Some(state) = backends.get_mut(key) else { return now };
        // Callers that were under way together count as one failure.
        if !state.is_open(now) {
            let pause = (PAUSE_FIRST << state.failures.min(16)).min(PAUSE_MAX);
            state.failures = state.failures.saturating_add(1);
            state.open_until = now.plus_seconds(pause);
        }
        state.open_until
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.lock().len()
    }
}

/// Allows one call on a backend, until dropped.
pub(crate) struct Pass<'a> {
    _own: Option<OwnedSemaphorePermit>,
    _suspect: Option<(Option<OwnedSemaphorePermit>, Option<SemaphorePermit<'a>>)>,
    _all: Option<SemaphorePermit<'a>>,
    _user: User<'a>,
}

struct User<'a> {
    breakers: &'a Breakers,
    key: &'a BackendKey,
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let mut backends = self.breakers.lock();
        if let Some(state) = backends.get_mut(self.key) {
            state.users = state.users.saturating_sub(1);
            if state.users == 0 && state.failures == 0 {
                backends.remove(self.key);
            }
        }
    }
}

/// Seconds until the next attempt after a backend said no for the `attempts`th time: 1, 2, 4, … 600, with up to a
/// quarter added so that many leases do not come back at one moment.
pub(crate) fn retry_after(attempts: u32) -> i64 {
    let base = (1i64 << attempts.saturating_sub(1).min(16)).min(600);
    base + rand::random_range(0..=base / 4)
}

#[cfg(test)]
mod tests;
