//! Rows that do not open. They are told once, counted, and passed over, so that one damaged row never blocks a queue.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use cofferdam_model::Error;

/// Keys of rows of one table that could not be opened since the barrier was unsealed.
#[derive(Debug, Default)]
pub(super) struct Quarantine(Mutex<HashSet<String>>);

impl Quarantine {
    pub(super) fn add(&self, key: &str, error: &Error) {
        if self.set().insert(key.to_owned()) {
            tracing::error!(%error, "a row of the storage is passed over until it is repaired or deleted");
        }
    }

    pub(super) fn remove(&self, key: &str) {
        self.set().remove(key);
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.set().contains(key)
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.set().iter().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.set().len()
    }

    pub(super) fn clear(&self) {
        self.set().clear();
    }

    fn set(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
