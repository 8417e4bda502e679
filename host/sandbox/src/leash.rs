//! Calls in flight on backends, so that they can be ended when their grants are taken away.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Which backend a call is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    mount: String,
    backend: String,
}

/// All calls in flight that have a network.
#[derive(Default)]
pub(crate) struct Leashes {
    held: Mutex<HashMap<Place, Vec<Held>>>,
}

struct Held {
    generation: u64,
    end: watch::Sender<bool>,
}

/// One call's end of it.
#[derive(Clone)]
pub(crate) struct Leash {
    ended: watch::Receiver<bool>,
}

impl Leashes {
    /// For a call on this backend.
    pub(crate) fn tie(&self, mount: &str, backend: &str, generation: u64) -> Leash {
        let (end, ended) = watch::channel(false);
        let place = Place { mount: mount.to_owned(), backend: backend.to_owned() };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever listens no more is over. Swept all at once, each time a backend is called.
        held.retain(|_, all| {
            all.retain(|h| !h.end.is_closed());
            !all.is_empty()
        });
        held.entry(place).or_default().push(Held { generation, end });
        Leash { ended }
    }

    /// Ends the calls on this backend's target of this generation, and of those before.
    pub(crate) fn pull(&self, mount: &str, backend: &str, generation: u64) {
        let place = Place { mount: mount.to_owned(), backend: backend.to_owned() };
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for one in held.get(&place).into_iter().flatten().filter(|h| h.generation <= generation) {
            one.end.send_replace(true);
        }
    }
}

impl Leash {
    /// Returns when the call's grants are gone.
    pub(crate) async fn pulled(&mut self) {
        if self.ended.wait_for(|ended| *ended).await.is_err() {
            // Nobody can pull it any more.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the call's grants are gone.
    pub(crate) fn is_pulled(&self) -> bool {
        *self.ended.borrow()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn only_the_named_backend_and_its_past_are_ended() {
        let leashes = Leashes::default();
        let mut old = leashes.tie("m", "pg", 1);
        let mut new = leashes.tie("m", "pg", 2);
        let mut other = leashes.tie("m", "other", 1);
        let mut elsewhere = leashes.tie("n", "pg", 1);
        leashes.pull("m", "pg", 1);
        assert!(old.pulled().now_or_never().is_some());
        for kept in [&mut new, &mut other, &mut elsewhere] {
            assert!(kept.pulled().now_or_never().is_none());
        }
    }

    #[test]
    fn calls_that_are_over_are_forgotten() {
        let leashes = Leashes::default();
        drop(leashes.tie("m", "pg", 1));
        let _held = leashes.tie("m", "other", 1);
        assert_eq!(leashes.held.lock().map(|h| h.len()).ok(), Some(1));
    }
}
