//! The clocks of a compartment. They note that they were read: what a call says may then depend on the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Whether a clock was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted(Arc<AtomicBool>);

impl Noted {
    pub(crate) fn is_read(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The time of day.
pub(crate) struct Wall(pub(crate) Noted);

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0.note();
        // Before 1970 is as good as 1970.
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }
}

/// The time since the instance was made.
pub(crate) struct Steady {
    noted: Noted,
    born: Instant,
}

impl Steady {
    pub(crate) fn new(noted: Noted) -> Self {
        Self { noted, born: Instant::now() }
    }
}

impl HostMonotonicClock for Steady {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.noted.note();
        u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
