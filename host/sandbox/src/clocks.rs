//! The clocks of a compartment. They note that they were read: what a call says may then depend on the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock, MonotonicClock, WallClock};

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
pub(crate) struct Wall {
    noted: Noted,
    clock: WallClock,
}

/// The time since the instance was made.
pub(crate) struct Steady {
    noted: Noted,
    clock: MonotonicClock,
}

impl Noted {
    pub(crate) fn wall(&self) -> Wall {
        Wall { noted: self.clone(), clock: WallClock }
    }

    pub(crate) fn steady(&self) -> Steady {
        Steady { noted: self.clone(), clock: MonotonicClock::new() }
    }
}

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        self.clock.resolution()
    }

    fn now(&self) -> Duration {
        self.noted.note();
        self.clock.now()
    }
}

impl HostMonotonicClock for Steady {
    fn resolution(&self) -> u64 {
        self.clock.resolution()
    }

    fn now(&self) -> u64 {
        self.noted.note();
        self.clock.now()
    }
}
