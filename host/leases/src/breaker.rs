//! One breaker and one concurrency limit for each backend, so that a dead one costs nobody else anything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_model::Timestamp;
use tokio::sync::Semaphore;

/// A backend: (mount uuid, name).
pub(crate) type BackendKey = (String, String);

/// Seconds of the first pause after a backend did not answer; doubled each time.
const PAUSE_FIRST: i64 = 1;
const PAUSE_MAX: i64 = 60;

struct State {
    permits: Arc<Semaphore>,
    failures: u32,
    open_until: Timestamp,
}

/// The breakers of all backends that were used since start.
pub(crate) struct Breakers {
    concurrent: usize,
    backends: Mutex<HashMap<BackendKey, State>>,
}

impl Breakers {
    pub(crate) fn new(concurrent: usize) -> Self {
        Self { concurrent, backends: Mutex::new(HashMap::new()) }
    }

    fn with<T>(&self, key: &BackendKey, f: impl FnOnce(&mut State) -> T) -> T {
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        let concurrent = self.concurrent;
        f(backends.entry(key.clone()).or_insert_with(|| State {
            permits: Arc::new(Semaphore::new(concurrent)),
            failures: 0,
            open_until: Timestamp::default(),
        }))
    }

    /// Whoever revokes on this backend holds one of these.
    pub(crate) fn permits(&self, key: &BackendKey) -> Arc<Semaphore> {
        self.with(key, |s| s.permits.clone())
    }

    /// When to come again, if the breaker is open.
    pub(crate) fn open_until(&self, key: &BackendKey, now: Timestamp) -> Option<Timestamp> {
        self.with(key, |s| (s.open_until > now).then_some(s.open_until))
    }

    /// The backend answered.
    pub(crate) fn close(&self, key: &BackendKey) {
        self.with(key, |s| {
            s.failures = 0;
            s.open_until = Timestamp::default();
        });
    }

    /// The backend did not answer: nobody asks it again before the returned time.
    pub(crate) fn trip(&self, key: &BackendKey, now: Timestamp) -> Timestamp {
        self.with(key, |s| {
            // Callers that were under way together count as one failure.
            if s.open_until <= now {
                let pause = (PAUSE_FIRST << s.failures.min(16)).min(PAUSE_MAX);
                s.failures = s.failures.saturating_add(1);
                s.open_until = now.plus_seconds(pause);
            }
            s.open_until
        })
    }
}

/// Seconds until the next attempt after a backend said no for the `attempts`th time: 1, 2, 4, … 600, with up to a
/// quarter added so that many leases do not come back at one moment.
pub(crate) fn retry_after(attempts: u32) -> i64 {
    let base = (1i64 << attempts.saturating_sub(1).min(16)).min(600);
    base + rand::random_range(0..=base / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_close_again() {
        let breakers = Breakers::new(1);
        let key = ("m".to_owned(), "b".to_owned());
        let now = Timestamp::from_seconds(1_000);
        assert_eq!(breakers.open_until(&key, now), None);
        assert_eq!(breakers.trip(&key, now), now.plus_seconds(1));
        assert_eq!(breakers.trip(&key, now), now.plus_seconds(1), "one failure, however many saw it");
        let later = now.plus_seconds(1);
        assert_eq!(breakers.trip(&key, later), later.plus_seconds(2));
        breakers.close(&key);
        assert_eq!(breakers.open_until(&key, later), None);
    }

    #[test]
    fn retries_never_stop_and_never_wait_long() {
        for attempts in 1..100 {
            let pause = retry_after(attempts);
            assert!((1..=750).contains(&pause), "{pause}");
        }
    }
}
