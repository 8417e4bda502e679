//! How many connections a backend gets: a call that names it counts as one, and so does an instance that is kept for the
//! next call on it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cofferdam_model::engine::ConnectionLimits;
use cofferdam_model::{Error, Result, duration};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use crate::policy::Limits;

/// Beyond this many backends, those without a running call are forgotten; beyond this many waiting calls, those that gave
/// up are.
const REMEMBERED: usize = 1024;

/// The fields of a configuration that limit its backend's connections.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionRule {
    /// The route's pattern, as the engine describes it.
    pub route: String,
    /// The field with the number that may be open at once.
    pub open: String,
    /// The field with the number that is kept for later calls.
    pub idle: String,
    /// The field with the time that one may live.
    pub lifetime: String,
    /// How many may be open where the configuration does not say.
    pub usual: u32,
}

impl ConnectionRule {
    /// What the fields of a write say.
    ///
    /// # Errors
    /// [`cofferdam_model::ErrorKind::Invalid`], naming the field.
    pub(crate) fn read(&self, fields: &Map<String, Value>) -> Result<ConnectionLimits> {
        let field = |name: &str, read: fn(&Value) -> Result<i64, String>| {
            let value = fields.get(name).filter(|v| !v.is_null());
            value.map(read).transpose().map_err(|why| Error::invalid(format!("{name}: {why}")))
        };
        Ok(ConnectionLimits {
            open: field(&self.open, whole)?,
            idle: field(&self.idle, whole)?,
            lifetime: field(&self.lifetime, duration::parse)?,
        })
    }
}

fn whole(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("{value} is no whole number"))
}

/// What a backend is allowed, reckoned from its configuration and the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Connections at once; none: as many as the mount may run calls.
    pub(crate) open: Option<usize>,
    /// Instances kept for later calls.
    pub(crate) idle: usize,
    /// The oldest that one of them gets.
    pub(crate) lifetime: Duration,
}

impl Allowance {
    pub(crate) fn of(written: ConnectionLimits, rule: Option<&ConnectionRule>, limits: &Limits) -> Self {
        let most = |wanted: i64| usize::try_from(wanted).ok();
        let open = match written.open {
            None | Some(0) => rule.map(|rule| rule.usual as usize),
            Some(open) => most(open),
        };
        let idle = match written.idle {
            None | Some(0) => open.unwrap_or(usize::MAX),
            Some(idle) => most(idle).unwrap_or(0).min(open.unwrap_or(usize::MAX)),
        };
        let longest = Duration::from_secs(limits.warm_lifetime_s);
        let lifetime = match written.lifetime.and_then(|s| u64::try_from(s).ok()) {
            None | Some(0) => longest,
            Some(seconds) => Duration::from_secs(seconds).min(longest),
        };
        Self { open, idle: idle.min(limits.warm_instances), lifetime }
    }
}

/// The places of all backends.
#[derive(Default)]
pub(crate) struct Connections {
    backends: Mutex<HashMap<(String, String), Arc<Backend>>>,
}

#[derive(Default)]
struct Backend {
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    running: usize,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    most: usize,
    /// Waits on where others found that nobody answers.
    stays: bool,
    place: oneshot::Sender<Place>,
}

/// The right of a running call to hold a connection.
pub(crate) struct Place {
    backend: Arc<Backend>,
}

impl Connections {
    /// Waits, in the order of coming, until fewer than `most` calls run on this backend of a mount. The number may change
    /// between calls: each brings the one that it was made under. None: the backend was found to be silent meanwhile,
    /// and whoever does not stay would only find the same, later.
    pub(crate) async fn take(&self, mount: &str, backend: &str, most: usize, stays: bool) -> Option<Place> {
        let backend = self.backend(mount, backend);
        let (place, turn) = oneshot::channel();
        {
            let mut line = backend.lock();
            if line.waiting.len() >= REMEMBERED {
                line.waiting.retain(|waiter| !waiter.place.is_closed());
            }
            // With a number of zero nobody would ever be let in.
            line.waiting.push_back(Waiter { most: most.max(1), stays, place });
        }
        backend.admit();
        // With its backend a waiter is not dropped: this call holds that.
        turn.await.ok()
    }

    fn backend(&self, mount: &str, backend: &str) -> Arc<Backend> {
        let mut backends = self.backends.lock().unwrap_or_else(PoisonError::into_inner);
        if backends.len() >= REMEMBERED {
            // Whoever waits or runs holds a clone.
            backends.retain(|_, backend| Arc::strong_count(backend) > 1);
        }
        Arc::clone(backends.entry((mount.to_owned(), backend.to_owned())).or_default())
    }
}

impl Backend {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets in those at the head of the line for whom there is room.
    fn admit(self: &Arc<Self>) {
        loop {
            let next = {
                let mut line = self.lock();
                let Some(first) = line.waiting.front() else { return };
                if first.place.is_closed() {
                    line.waiting.pop_front();
                    continue;
                }
                if line.running >= first.most {
                    return;
                }
                line.running += 1;
                line.waiting.pop_front()
            };
            let place = Place { backend: Arc::clone(self) };
            // Who gave up at this very moment leaves the place to the next: dropping it lets them in.
            drop(next.map(|waiter| waiter.place.send(place)));
        }
    }
}

impl Place {
    /// Calls that run on the backend, this one included.
    pub(crate) fn running(&self) -> usize {
        self.backend.lock().running
    }

    /// The backend left this call without an answer for long: those who wait for their turn need not find out one after
    /// the other.
    pub(crate) fn silent(&self) {
        self.backend.lock().waiting.retain(|waiter| waiter.stays);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.backend.lock().running -= 1;
        self.backend.admit();
    }
}

#[cfg(test)]
mod tests;
