//! Named points at which a test stops a task, or makes it fail.
//!
//! A point is a name in the code: [`point!`] where a task may be held, [`fails!`] where it may be told that something
//! failed. They exist only with the feature `armed`, which no shipped build has: without it both are nothing, and not
//! even the names are in the binary.
//!
//! A test steers them through a folder. `NAME` in it is an instruction, `hold` or `fail`, and a number of arrivals that
//! it lets through first; it holds for as long as it is there. `NAME.here` gets one byte for each arrival.

#[cfg(any(test, feature = "armed"))]
#[cfg_attr(not(feature = "armed"), allow(unreachable_pub, dead_code, reason = "its own tests need no feature"))]
mod armed;

#[cfg(feature = "armed")]
pub use armed::{arm, fails, leapt_seconds, passed_seconds, reach};

/// A point where a task may be held.
#[cfg(feature = "armed")]
#[macro_export]
macro_rules! point {
    ($name:literal) => {
        $crate::reach($name).await
    };
}

/// A point where a task may be held. In this build: nothing.
#[cfg(not(feature = "armed"))]
#[macro_export]
macro_rules! point {
    ($name:literal) => {};
}

/// Whether something is to fail here.
#[cfg(feature = "armed")]
#[macro_export]
macro_rules! fails {
    ($name:literal) => {
        $crate::fails($name)
    };
}

/// Whether something is to fail here. In this build: never.
#[cfg(not(feature = "armed"))]
#[macro_export]
macro_rules! fails {
    ($name:literal) => {
        false
    };
}
