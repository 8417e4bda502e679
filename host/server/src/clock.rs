//! The machine's clock, and how far it is believed.
//!
//! A clock that leaps ahead (a wrong time server, a machine that woke with a wrong date) would end every lease and token
//! at once. What the machine counted since its boot, suspended or not, says how much time really went by.

use std::sync::{Arc, Mutex, PoisonError};

use cofferdam_model::{Clock, Timestamp};
use rustix::time::{ClockId, clock_gettime};

const NANOS: i64 = 1_000_000_000;
/// A leap of up to so many seconds is a clock that was put right.
const LEAP_SECONDS: i64 = 300;
/// Seconds after which a leap that lasted is believed.
const HOLD_SECONDS: i64 = 3_600;

/// A clock whose leaps ahead count only after [`HOLD_SECONDS`].
pub(crate) struct Steady {
    wall: Arc<dyn Clock>,
    /// Time since some fixed moment; nobody can set it.
    uptime: fn() -> i64,
    trust: Mutex<Trust>,
}

/// All in nanoseconds.
struct Trust {
    /// How far the wall clock is believed to be ahead of the uptime.
    offset: i64,
    /// The uptime at which a leap was seen that still lasts.
    leapt_at: Option<i64>,
}

impl Steady {
    pub(crate) fn new(wall: Arc<dyn Clock>, uptime: fn() -> i64) -> Self {
        let offset = wall.now().0.saturating_sub(uptime());
        Self { wall, uptime, trust: Mutex::new(Trust { offset, leapt_at: None }) }
    }
}

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        self.wall.now()
    }

    fn proven(&self) -> Timestamp {
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        let (wall, uptime) = (self.wall.now(), (self.uptime)());
        let offset = wall.0.saturating_sub(uptime);
        if offset.saturating_sub(trust.offset) <= LEAP_SECONDS * NANOS {
            if trust.leapt_at.take().is_some() {
                tracing::warn!("the clock was put back; leases and tokens expire again");
            }
            trust.offset = offset;
            return wall;
        }
        let believed = trust.offset;
        let since = *trust.leapt_at.get_or_insert_with(|| {
            let seconds = offset.saturating_sub(believed) / NANOS;
            tracing::error!(
                "the clock leapt ahead by {seconds} seconds: nothing expires by it within {HOLD_SECONDS} seconds; \
                 put it right, or restart the server to have it believed"
            );
            uptime
        });
        if uptime.saturating_sub(since) < HOLD_SECONDS * NANOS {
            return Timestamp(uptime.saturating_add(believed));
        }
        tracing::warn!("the clock's leap has lasted; leases and tokens expire by it");
        *trust = Trust { offset, leapt_at: None };
        wall
    }
}

/// The clock of this machine.
#[cfg(not(feature = "failpoints"))]
pub(crate) fn machine() -> Arc<dyn Clock> {
    Arc::new(Steady::new(Arc::new(cofferdam_model::SystemClock), since_boot))
}

/// Nanoseconds since the boot, suspended ones included.
pub(crate) fn since_boot() -> i64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec.saturating_mul(NANOS).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use cofferdam_model::ManualClock;

    use super::*;

    #[test]
    fn a_leap_counts_once_it_has_lasted() {
        static UPTIME: AtomicI64 = AtomicI64::new(50 * NANOS);
        let wall = Arc::new(ManualClock::new(Timestamp::from_seconds(1_000_000)));
        let steady = Steady::new(wall.clone(), || UPTIME.load(Ordering::SeqCst));
        let pass = |seconds: i64| {
            UPTIME.fetch_add(seconds * NANOS, Ordering::SeqCst);
            wall.advance_seconds(seconds);
            steady.proven().seconds()
        };
        assert_eq!(pass(86_400), 1_086_400, "time that went by is believed");
        wall.advance_seconds(LEAP_SECONDS);
        assert_eq!(pass(0), 1_086_700, "a small leap too");
        wall.advance_seconds(-7_200);
        assert_eq!(pass(0), 1_079_500, "and one that goes back");

        wall.advance_seconds(86_400);
        assert_eq!(pass(0), 1_079_500);
        assert_eq!(steady.now().seconds(), 1_165_900, "what is new is dated by the clock");
        assert_eq!(pass(HOLD_SECONDS - 1), 1_083_099);
        assert_eq!(pass(1), 1_169_500, "it has lasted");

        wall.advance_seconds(86_400);
        assert_eq!(pass(10), 1_169_510);
        wall.advance_seconds(-86_400);
        assert_eq!(pass(10), 1_169_520, "it was put right");
        wall.advance_seconds(86_400);
        assert_eq!(pass(HOLD_SECONDS - 1), 1_173_119, "and begins anew");
    }
}
