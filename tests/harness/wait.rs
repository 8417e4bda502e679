//! Waiting for what must happen: asked again and again until a deadline, never a sleep for luck.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long anything on a busy machine may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is some; panics, naming `what`, once `PATIENCE` is over.
#[track_caller]
pub fn wait_until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_at_most(PATIENCE, what, ask)
}

/// The same with a patience of its own.
#[track_caller]
pub fn wait_at_most<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {} s in vain for {what}", patience.as_secs());
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}
