//! A build for tests: its failpoints obey the folder that `COFFERDAM_FAILPOINTS` names, and so does its clock.

use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cofferdam_failpoints::{leapt_seconds, passed_seconds};
use cofferdam_model::{Clock, SystemClock, Timestamp};

use crate::clock::{Steady, since_boot};

const FOLDER: &str = "COFFERDAM_FAILPOINTS";

/// Hands the folder to the failpoints, where the environment names one.
pub(crate) fn arm() -> std::io::Result<()> {
    tracing::warn!("this build has failpoints: it is for tests only");
    if let Some(path) = std::env::var_os(FOLDER) {
        cofferdam_failpoints::arm(Dir::open_ambient_dir(path, ambient_authority())?);
    }
    Ok(())
}

/// The machine's clock, ahead by as much as the test says.
pub(crate) fn machine() -> Arc<dyn Clock> {
    Arc::new(Steady::new(Arc::new(Ahead), || Timestamp(since_boot()).plus_seconds(passed_seconds()).0))
}

struct Ahead;

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_seconds(passed_seconds()).plus_seconds(leapt_seconds())
    }
}
