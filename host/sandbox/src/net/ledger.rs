//! What went through the gate and what did not, and how calls ended: for reviewers and for the metrics.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use cofferdam_model::review::{Counts, Denial, FaultKind, Faults, Report};
use cofferdam_model::{Clock as _, SystemClock};

use crate::fault::Fault;

/// How many refusals are kept.
const KEPT: usize = 1000;

/// Mounts that are counted one by one; what comes later shares a row for each engine.
const MAX_ROWS: usize = 1000;
/// The name of that row.
const OTHERS: &str = "(other mounts)";

/// Who is behind an attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) engine: String,
    pub(crate) mount: String,
    pub(crate) request_id: String,
}

#[derive(Default)]
pub(crate) struct Ledger {
    /// Nothing is logged: what is written down only answers a question.
    trial: bool,
    denials: Mutex<VecDeque<Denial>>,
    rows: RwLock<Rows>,
}

#[derive(Default)]
struct Rows {
    /// By engine, then by mount.
    by_engine: HashMap<String, HashMap<String, Arc<Row>>>,
    count: usize,
}

impl Ledger {
    /// A ledger that only its maker reads.
    pub(crate) fn trial() -> Self {
        Self { trial: true, ..Self::default() }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Denial>> {
        self.denials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a refusal; without an attempt, it is only counted.
    pub(crate) fn denied(&self, origin: &Origin, attempt: Option<String>, reason: &str) {
        self.count(&origin.engine, &origin.mount, |c| c.denials += 1);
        let Some(attempt) = attempt else { return };
        if !self.trial {
            tracing::warn!(
                request_id = origin.request_id,
                engine = origin.engine,
                mount = origin.mount,
                attempt,
                reason,
                "egress refused"
            );
        }
        self.keep(origin.clone(), attempt, reason.to_owned());
    }

    /// Counts a call that was ended, and lists it among the refusals: what a compartment tried beyond its limits.
    pub(crate) fn faulted(&self, engine: &str, mount: &str, fault: &Fault) {
        self.broke("call ended", engine, mount, fault);
    }

    /// The same for a description that was refused. There may be no mount at this path, now or ever.
    pub(crate) fn undescribed(&self, engine: &str, mount: &str, fault: &Fault) {
        self.broke("description refused", engine, mount, fault);
    }

    fn broke(&self, what: &str, engine: &str, mount: &str, fault: &Fault) {
        self.count(engine, mount, |c| c.faults.add(fault.kind(), 1));
        let origin = Origin { engine: engine.to_owned(), mount: mount.to_owned(), request_id: String::new() };
        self.keep(origin, format!("{what}: {}", fault.kind().name()), fault.to_string());
    }

    fn keep(&self, origin: Origin, attempt: String, reason: String) {
        let Origin { engine, mount, request_id } = origin;
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(Denial { at: SystemClock.now(), engine, mount, request_id, attempt, reason });
    }

    pub(crate) fn connected(&self, origin: &Origin, to: std::net::SocketAddr) {
        if !self.trial {
            tracing::debug!(
                request_id = origin.request_id, engine = origin.engine, mount = origin.mount, %to,
                "egress allowed"
            );
        }
        self.count(&origin.engine, &origin.mount, |c| c.connections += 1);
    }

    /// Adds what `change` makes of zeros.
    pub(crate) fn count(&self, engine: &str, mount: &str, change: impl FnOnce(&mut Counts)) {
        let mut more = Counts::default();
        change(&mut more);
        self.row(engine, mount).add(&more);
    }

    /// The counters of an engine on a mount.
    pub(crate) fn row(&self, engine: &str, mount: &str) -> Arc<Row> {
        if let Some(row) = self.rows.read().unwrap_or_else(PoisonError::into_inner).find(engine, mount) {
            return row;
        }
        self.rows.write().unwrap_or_else(PoisonError::into_inner).make(engine, mount)
    }

    pub(crate) fn denials(&self) -> Vec<Denial> {
        self.kept().iter().cloned().collect()
    }

    pub(crate) fn reports(&self) -> Vec<Report> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let all = rows.by_engine.iter().flat_map(|(engine, mounts)| mounts.iter().map(move |m| (engine, m)));
        let mut reports: Vec<Report> = all.map(|(engine, (mount, row))| row.report(engine, mount)).collect();
        drop(rows);
        reports.sort_by(|a, b| (&a.engine, &a.mount).cmp(&(&b.engine, &b.mount)));
        reports
    }
}

impl Rows {
    fn find(&self, engine: &str, mount: &str) -> Option<Arc<Row>> {
        let mounts = self.by_engine.get(engine)?;
        let row = mounts.get(mount).or_else(|| mounts.get(OTHERS).filter(|_| self.count >= MAX_ROWS));
        row.map(Arc::clone)
    }

    fn make(&mut self, engine: &str, mount: &str) -> Arc<Row> {
        if let Some(row) = self.find(engine, mount) {
            return row;
        }
        let mount = if self.count >= MAX_ROWS { OTHERS } else { mount };
        self.count += 1;
        let row = self.by_engine.entry(engine.to_owned()).or_default().entry(mount.to_owned()).or_default();
        Arc::clone(row)
    }
}

/// The counters of one engine on one mount. Whoever counts waits for nobody.
#[derive(Debug, Default)]
pub(crate) struct Row {
    calls: AtomicU64,
    warm: AtomicU64,
    refused: AtomicU64,
    failures: AtomicU64,
    faults: [AtomicU64; FaultKind::ALL.len()],
    lookups: AtomicU64,
    requests: AtomicU64,
    connections: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    denials: AtomicU64,
    running: AtomicU64,
    waiting: AtomicU64,
}

impl Row {
    /// Adds to the counters.
    pub(crate) fn add(&self, more: &Counts) {
        let pairs = [
            (&self.calls, more.calls),
            (&self.warm, more.warm),
            (&self.refused, more.refused),
            (&self.failures, more.failures),
            (&self.lookups, more.lookups),
            (&self.requests, more.requests),
            (&self.connections, more.connections),
            (&self.sent, more.sent),
            (&self.received, more.received),
            (&self.denials, more.denials),
        ];
        let faults = self.faults.iter().zip(FaultKind::ALL.map(|kind| more.faults.of(kind)));
        for (counter, more) in pairs.into_iter().chain(faults).filter(|(_, more)| *more > 0) {
            counter.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Counts a call as running until the answer is dropped.
    pub(crate) fn runs(self: &Arc<Self>) -> Present {
        Present::enter(self, |row| &row.running)
    }

    /// Counts a call as waiting until the answer is dropped.
    pub(crate) fn waits(self: &Arc<Self>) -> Present {
        Present::enter(self, |row| &row.waiting)
    }

    fn report(&self, engine: &str, mount: &str) -> Report {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut faults = Faults::default();
        for (kind, counter) in FaultKind::ALL.into_iter().zip(&self.faults) {
            faults.add(kind, read(counter));
        }
        Report {
            engine: engine.to_owned(),
            mount: mount.to_owned(),
            counts: Counts {
                calls: read(&self.calls),
                warm: read(&self.warm),
                refused: read(&self.refused),
                failures: read(&self.failures),
                faults,
                lookups: read(&self.lookups),
                requests: read(&self.requests),
                connections: read(&self.connections),
                sent: read(&self.sent),
                received: read(&self.received),
                denials: read(&self.denials),
            },
            running: read(&self.running),
            waiting: read(&self.waiting),
        }
    }
}

/// One call that is there.
#[derive(Debug)]
pub(crate) struct Present {
    row: Arc<Row>,
    counter: fn(&Row) -> &AtomicU64,
}

impl Present {
    fn enter(row: &Arc<Row>, counter: fn(&Row) -> &AtomicU64) -> Self {
        counter(row).fetch_add(1, Ordering::Relaxed);
        Self { row: Arc::clone(row), counter }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        (self.counter)(&self.row).fetch_sub(1, Ordering::Relaxed);
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

    #[test]
    fn rows_are_bounded_and_nothing_is_lost() {
        let ledger = Ledger::default();
        for i in 0..MAX_ROWS + 20 {
            for engine in ["a", "b"] {
                ledger.count(engine, &format!("m{i}/"), |c| c.calls += 1);
            }
        }
        let reports = ledger.reports();
        assert!(reports.len() <= MAX_ROWS + 2);
        assert_eq!(reports.iter().map(|r| r.counts.calls).sum::<u64>(), 2 * (MAX_ROWS as u64 + 20));
        assert!(reports.iter().any(|r| r.mount == OTHERS && r.counts.calls > 1));
    }

    #[test]
    fn who_is_there_is_counted_while_there() {
        let ledger = Ledger::default();
        let row = ledger.row("e", "m/");
        let (running, waiting) = (row.runs(), row.waits());
        let shown = |ledger: &Ledger| ledger.reports().first().map(|r| (r.running, r.waiting));
        assert_eq!(shown(&ledger), Some((1, 1)));
        drop((running, waiting));
        assert_eq!(shown(&ledger), Some((0, 0)));
    }

    #[test]
    fn faults_are_counted_by_kind_and_listed() {
        let ledger = Ledger::default();
        ledger.faulted("e", "m/", &Fault::Trap("unreachable".to_owned()));
        let listed = ledger.denials();
        let [denial] = listed.as_slice() else { unreachable!("{listed:?}") };
        assert_eq!((denial.attempt.as_str(), denial.reason.as_str()), ("call ended: trap", "it broke: unreachable"));
        ledger.undescribed("e", "m/", &Fault::Cpu);
        assert_eq!(ledger.denials().last().map(|d| d.attempt.clone()).as_deref(), Some("description refused: cpu"));
        ledger.count("e", "m/", |c| c.faults.add(FaultKind::Withdrawn, 2));
        let faults = ledger.reports().first().map(|r| r.counts.faults).unwrap_or_default();
        assert_eq!((faults.of(FaultKind::Trap), faults.of(FaultKind::Withdrawn), faults.total()), (1, 2, 4));
    }
}
