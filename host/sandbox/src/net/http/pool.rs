//! Idle connections, kept between the calls of one backend: instances are fresh for each call, and TLS need not be.
//!
//! A connection belongs to the mount, the backend and the generation that it was made for, and goes with them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Destination;
use super::connection::Connection;
use super::traffic::{Place, Traffic};

/// How long a connection waits for its next request: less than servers usually do.
const IDLE: Duration = Duration::from_secs(15);
/// How old one gets: names may move meanwhile.
const LIFETIME: Duration = Duration::from_secs(120);
/// Of all backends together.
const MAX: usize = 512;

/// Who may use a connection, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    pub(crate) place: Place,
    pub(crate) to: Destination,
}

/// The idle connections of all backends, the one used last at the end.
#[derive(Default)]
pub(crate) struct Pool {
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    way: Way,
    since: Instant,
    connection: Connection,
}

impl Kept {
    fn is_good(&self, now: Instant) -> bool {
        now.duration_since(self.since) < IDLE
            && now.duration_since(self.connection.born) < LIFETIME
            && !self.connection.is_closed()
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of this way. Only for a request that the gate has admitted.
    pub(crate) fn take(&self, way: &Way) -> Option<Connection> {
        let now = Instant::now();
        let mut kept = self.lock();
        kept.retain(|k| k.is_good(now));
        let at = kept.iter().rposition(|k| k.way == *way)?;
        kept.remove(at).map(|k| k.connection)
    }

    /// Keeps a connection whose last answer was read to its end, unless its grants went away meanwhile.
    pub(crate) fn keep(&self, way: Way, connection: Connection, traffic: &Traffic) {
        let now = Instant::now();
        let mut kept = self.lock();
        kept.retain(|k| k.is_good(now));
        let same = |k: &Kept| (&k.way.place.mount, &k.way.place.backend) == (&way.place.mount, &way.place.backend);
        let of_backend = kept.iter().filter(|k| same(k)).count();
        // Withdrawing pulls the leash first and sweeps then: either it finds the connection here, or this sees it.
        if of_backend >= traffic.kept || traffic.is_withdrawn() {
            return;
        }
        if kept.len() >= MAX {
            kept.pop_front();
        }
        kept.push_back(Kept { way, since: now, connection });
    }

    /// Ends the connections to a target that died, and to those before it.
    pub(crate) fn forget_target(&self, mount: &str, backend: &str, generation: u64) {
        self.lock().retain(|k| {
            let Place { mount: m, backend: b, generation: g } = &k.way.place;
            (m.as_str(), b.as_str()) != (mount, backend) || *g > generation
        });
    }

    /// Ends what has waited too long.
    pub(crate) fn expire(&self) {
        let now = Instant::now();
        self.lock().retain(|k| k.is_good(now));
    }

    /// Ends all.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }
}
