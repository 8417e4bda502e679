//! What went through the gate and what did not, for reviewers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use cofferdam_model::{Clock as _, SystemClock, Timestamp};

/// How many refusals are kept.
const KEPT: usize = 1000;

/// Which names of mounts are counted one by one; more of them share one row.
const MAX_ROWS: usize = 10_000;

/// One refusal of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// When.
    pub at: Timestamp,
    /// The engine's type.
    pub engine: String,
    /// The mount's path.
    pub mount: String,
    /// Of the client's request, or of the job.
    pub request_id: String,
    /// What the engine tried: `connect 10.0.0.1:80`, `look up evil.example`.
    pub attempt: String,
    /// Why not.
    pub reason: String,
}

/// What one engine did on one mount since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The engine's type.
    pub engine: String,
    /// The mount's path.
    pub mount: String,
    /// The counters.
    pub counts: Counts,
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls into the engine.
    pub calls: u64,
    /// Of them, those that a kept instance served.
    pub warm: u64,
    /// Calls that ended in a failure the engine reported.
    pub failures: u64,
    /// Calls that ended in a trap, at a limit or in a broken promise.
    pub faults: u64,
    /// Look-ups of granted names.
    pub lookups: u64,
    /// HTTP requests that the gate let pass.
    pub requests: u64,
    /// Connections that the gate let pass.
    pub connections: u64,
    /// Look-ups, connections and requests that it refused.
    pub denials: u64,
}

/// Who is behind an attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) engine: String,
    pub(crate) mount: String,
    pub(crate) request_id: String,
}

#[derive(Default)]
pub(crate) struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    denials: VecDeque<Denial>,
    rows: BTreeMap<(String, String), Counts>,
}

impl Ledger {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal; without an attempt, it is only counted.
    pub(crate) fn denied(&self, origin: &Origin, attempt: Option<String>, reason: &str) {
        self.count(&origin.engine, &origin.mount, |c| c.denials += 1);
        let Some(attempt) = attempt else { return };
        tracing::warn!(
            request_id = origin.request_id,
            engine = origin.engine,
            mount = origin.mount,
            attempt,
            reason,
            "egress refused"
        );
        let mut inner = self.lock();
        if inner.denials.len() >= KEPT {
            inner.denials.pop_front();
        }
        inner.denials.push_back(Denial {
            at: SystemClock.now(),
            engine: origin.engine.clone(),
            mount: origin.mount.clone(),
            request_id: origin.request_id.clone(),
            attempt,
            reason: reason.to_owned(),
        });
    }

    pub(crate) fn connected(&self, origin: &Origin, to: std::net::SocketAddr) {
        tracing::debug!(
            request_id = origin.request_id, engine = origin.engine, mount = origin.mount, %to,
            "egress allowed"
        );
        self.count(&origin.engine, &origin.mount, |c| c.connections += 1);
    }

    pub(crate) fn count(&self, engine: &str, mount: &str, change: impl FnOnce(&mut Counts)) {
        let mut inner = self.lock();
        let mut key = (engine.to_owned(), mount.to_owned());
        if inner.rows.len() >= MAX_ROWS && !inner.rows.contains_key(&key) {
            key.1 = "(other mounts)".to_owned();
        }
        change(inner.rows.entry(key).or_default());
    }

    pub(crate) fn denials(&self) -> Vec<Denial> {
        self.lock().denials.iter().cloned().collect()
    }

    pub(crate) fn reports(&self) -> Vec<Report> {
        self.lock()
            .rows
            .iter()
            .map(|((engine, mount), counts)| Report { engine: engine.clone(), mount: mount.clone(), counts: *counts })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_refusals_and_counts_all() {
        let ledger = Ledger::default();
        let origin = Origin { engine: "e".to_owned(), mount: "m/".to_owned(), request_id: "r".to_owned() };
        for i in 0..KEPT + 5 {
            ledger.denied(&origin, Some(format!("connect {i}")), "no");
        }
        ledger.denied(&origin, None, "no");
        let denials = ledger.denials();
        assert_eq!(denials.len(), KEPT);
        assert_eq!(denials.first().map(|d| d.attempt.as_str()), Some("connect 5"));
        let reports = ledger.reports();
        assert_eq!(reports.len(), 1);
        assert_eq!(reports.first().map(|r| r.counts.denials), Some(KEPT as u64 + 6));
    }
}
