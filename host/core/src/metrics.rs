//! What can be measured, gathered when somebody asks: nothing here scans but the count of leases, which is remembered
//! for a while, and nobody who is measured waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cofferdam_model::review::{FaultKind, Report};
use cofferdam_model::{Error, Result, Timestamp};
use cofferdam_storage::port::LeaseFilter;
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::VERSION;
use crate::core::Core;
use crate::vault::Vault;

/// The media type of Prometheus's text.
pub(crate) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers by class of status.
#[derive(Debug, Default)]
pub(crate) struct Answers([AtomicU64; 5]);

impl Answers {
    /// Counts one.
    pub(crate) fn count(&self, status: u16) {
        let class = usize::from(status / 100).wrapping_sub(1);
        if let Some(counter) = self.0.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What the operating system says of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessStats {
    /// Seconds on the processor.
    pub cpu_seconds: f64,
    /// Memory that is in use.
    pub resident_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// When it started.
    pub started: Timestamp,
}

/// What takes time to count, and when it was counted.
#[derive(Default)]
pub(crate) struct Counted(tokio::sync::Mutex<Option<(Instant, f64)>>);

impl Counted {
    /// How long a count is good enough: scrapers that come often cost no more than others.
    const GOOD_FOR: Duration = Duration::from_secs(10);

    async fn leases(&self, vault: &Vault) -> Result<f64> {
        let mut counted = self.0.lock().await;
        if let Some((at, count)) = *counted
            && at.elapsed() < Self::GOOD_FOR
        {
            return Ok(count);
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge of Prometheus is a float")]
        let count = vault.ledger().count(&LeaseFilter::default()).await? as f64;
        *counted = Some((Instant::now(), count));
        Ok(count)
    }
}

/// A registry for one answer.
struct Sheet(Registry);

fn trouble(error: prometheus::Error) -> Error {
    Error::internal(format!("metrics: {error}"))
}

impl Sheet {
    /// Adds rows of a counter: values of its labels, and the count.
    fn counters(&self, name: &str, help: &str, labels: &[&str], rows: &[(Vec<&str>, u64)]) -> Result<()> {
        let counter = IntCounterVec::new(Opts::new(name, help), labels).map_err(trouble)?;
        for (values, count) in rows {
            counter.get_metric_with_label_values(values).map_err(trouble)?.inc_by(*count);
        }
        self.0.register(Box::new(counter)).map_err(trouble)
    }

    /// Adds rows of a gauge.
    fn gauges(&self, name: &str, help: &str, labels: &[&str], rows: &[(Vec<&str>, u64)]) -> Result<()> {
        let gauge = IntGaugeVec::new(Opts::new(name, help), labels).map_err(trouble)?;
        for (values, value) in rows {
            let value = i64::try_from(*value).unwrap_or(i64::MAX);
            gauge.get_metric_with_label_values(values).map_err(trouble)?.set(value);
        }
        self.0.register(Box::new(gauge)).map_err(trouble)
    }

    fn gauge(&self, name: &str, help: &str, value: f64) -> Result<()> {
        let gauge = Gauge::new(name, help).map_err(trouble)?;
        gauge.set(value);
        self.0.register(Box::new(gauge)).map_err(trouble)
    }
}

/// Everything that can be measured now, sorted by name.
async fn gather(core: &Core) -> Result<Vec<MetricFamily>> {
    let vault = core.unsealed().await;
    let sheet = Sheet(Registry::new());
    server(core, vault.is_some(), &sheet)?;
    process(core, &sheet)?;
    sandbox(core, vault.as_deref(), &sheet)?;
    if let Some(vault) = &vault {
        unsealed(vault, &sheet)?;
        let leases = vault.counted.leases(vault).await?;
        sheet.gauge("vault_expire_num_leases", "Leases that are not yet gone.", leases)?;
    }
    Ok(sheet.0.gather())
}

/// In Prometheus's text format.
pub(crate) async fn text(core: &Core) -> Result<String> {
    TextEncoder::new().encode_to_string(&gather(core).await?).map_err(trouble)
}

/// As JSON in the shape that the peers have.
pub(crate) async fn json(core: &Core) -> Result<Value> {
    let (mut gauges, mut counters) = (Vec::new(), Vec::new());
    for family in gather(core).await? {
        let is_counter = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
        for metric in family.get_metric() {
            let labels: Map<String, Value> =
                metric.get_label().iter().map(|l| (l.name().to_owned(), json!(l.value()))).collect();
            if is_counter {
                let count = metric.get_counter().get_value();
                counters.push(json!({ "Name": family.name(), "Count": count, "Sum": count, "Labels": labels }));
            } else {
                let value = metric.get_gauge().get_value();
                gauges.push(json!({ "Name": family.name(), "Value": value, "Labels": labels }));
            }
        }
    }
    let now = core.clock.now().rfc3339();
    Ok(json!({ "Timestamp": now, "Gauges": gauges, "Counters": counters, "Points": [], "Samples": [] }))
}

fn server(core: &Core, is_unsealed: bool, sheet: &Sheet) -> Result<()> {
    sheet.gauge("vault_core_unsealed", "1 while the server is unsealed.", f64::from(u8::from(is_unsealed)))?;
    let fenced = is_unsealed && core.fence.reason().is_some();
    sheet.gauge("cofferdam_fenced", "1 while the server acts on no backend.", f64::from(u8::from(fenced)))?;
    sheet.gauges("cofferdam_build_info", "Always 1.", &["version"], &[(vec![VERSION], 1)])?;
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    let answers = core.answers.0.iter().map(|n| n.load(Ordering::Relaxed));
    let rows: Vec<_> = classes.into_iter().zip(answers).map(|(class, n)| (vec![class], n)).collect();
    sheet.counters("cofferdam_http_responses_total", "Answers by class of status.", &["class"], &rows)
}

fn process(core: &Core, sheet: &Sheet) -> Result<()> {
    let Some(stats) = (core.process)() else { return Ok(()) };
    // As other programs write it, though it counts.
    let cpu = prometheus::Counter::new("process_cpu_seconds_total", "Seconds on the processor.").map_err(trouble)?;
    cpu.inc_by(stats.cpu_seconds);
    sheet.0.register(Box::new(cpu)).map_err(trouble)?;
    #[expect(clippy::cast_precision_loss, reason = "a gauge of Prometheus is a float")]
    let float = |n: u64| n as f64;
    sheet.gauge("process_resident_memory_bytes", "Memory in use.", float(stats.resident_bytes))?;
    sheet.gauge("process_threads", "Threads.", float(stats.threads))?;
    let started = u64::try_from(stats.started.seconds()).unwrap_or(0);
    sheet.gauge("process_start_time_seconds", "When it started, in Unix seconds.", float(started))
}

fn sandbox(core: &Core, vault: Option<&Vault>, sheet: &Sheet) -> Result<()> {
    type Figure = fn(&Report) -> u64;
    const LABELS: &[&str] = &["engine", "mount"];
    let reports = core.review.reports();
    let rows = |value: Figure| -> Vec<(Vec<&str>, u64)> {
        reports.iter().map(|r| (vec![r.engine.as_str(), r.mount.as_str()], value(r))).collect()
    };
    let counters: [(&str, &str, Figure); 9] = [
        ("cofferdam_engine_calls_total", "Calls into an engine.", |r| r.counts.calls),
        ("cofferdam_engine_warm_calls_total", "Of them, served by a kept instance.", |r| r.counts.warm),
        ("cofferdam_engine_busy_calls_total", "Of them, given up because nothing was free.", |r| r.counts.refused),
        ("cofferdam_engine_failures_total", "Calls that the engine answered with a failure.", |r| r.counts.failures),
        ("cofferdam_egress_lookups_total", "Look-ups of granted names.", |r| r.counts.lookups),
        ("cofferdam_egress_connections_total", "Connections that the gate let pass.", |r| r.counts.connections),
        ("cofferdam_egress_sent_bytes_total", "Bytes out through them.", |r| r.counts.sent),
        ("cofferdam_egress_received_bytes_total", "Bytes in through them.", |r| r.counts.received),
        ("cofferdam_egress_denials_total", "Look-ups, connections and requests refused.", |r| r.counts.denials),
    ];
    for (name, help, value) in counters {
        sheet.counters(name, help, LABELS, &rows(value))?;
    }
    let by_kind = reports.iter().flat_map(|r| {
        FaultKind::ALL.map(|kind| (vec![r.engine.as_str(), r.mount.as_str(), kind.name()], r.counts.faults.of(kind)))
    });
    let faults: Vec<_> = by_kind.filter(|(_, count)| *count > 0).collect();
    let help = "Calls and descriptions that ended in a trap, at a limit or in a broken promise.";
    sheet.counters("cofferdam_engine_faults_total", help, &["engine", "mount", "kind"], &faults)?;
    sheet.gauges("cofferdam_engine_calls_running", "Calls in an instance now.", LABELS, &rows(|r| r.running))?;
    sheet.gauges("cofferdam_engine_calls_waiting", "Calls that wait for one now.", LABELS, &rows(|r| r.waiting))?;

    let instances = core.review.instances();
    let pools = [
        (vec!["common"], instances.places, instances.taken),
        (vec!["revocation"], instances.reserved, instances.reserved_taken),
    ];
    let places = pools.clone().map(|(labels, all, _)| (labels, all));
    let taken = pools.map(|(labels, _, taken)| (labels, taken));
    sheet.gauges("cofferdam_instances_places", "How many instances there may be.", &["pool"], &places)?;
    sheet.gauges("cofferdam_instances_live", "How many there are.", &["pool"], &taken)?;
    let Some(vault) = vault else { return Ok(()) };
    let mounts = instances.idle.iter().map(|(uuid, n)| (vault.mounts.by_uuid(uuid), *n)).collect::<Vec<_>>();
    let idle: Vec<_> = mounts
        .iter()
        .filter_map(|(mount, n)| mount.as_ref().map(|m| (vec![m.kind.as_str(), m.path.as_str()], *n)))
        .collect();
    sheet.gauges("cofferdam_instances_idle", "Instances that are kept for a next call.", LABELS, &idle)
}

fn unsealed(vault: &Vault, sheet: &Sheet) -> Result<()> {
    let mounts = vault.mounts.all();
    let count = |auth: bool| u64::try_from(mounts.iter().filter(|m| m.is_auth() == auth).count()).unwrap_or(0);
    let rows = [(vec!["logical"], count(false)), (vec!["auth"], count(true))];
    sheet.gauges("vault_core_mount_table_num_entries", "Mounts.", &["type"], &rows)?;
    let unserved = u32::try_from(vault.mounts.unserved().len()).unwrap_or(u32::MAX);
    sheet.gauge("cofferdam_mounts_unserved", "Mounts that are there and not served.", unserved.into())?;
    let events = vault.ledger().events();
    let rows: Vec<_> = events.into_iter().map(|(event, n)| (vec![event], n)).collect();
    sheet.counters("cofferdam_leases_total", "What became of leases since the unseal.", &["event"], &rows)?;
    let open = vault.ledger().open_breakers();
    let open: Vec<_> = open.iter().filter_map(|(uuid, backend)| Some((vault.mounts.by_uuid(uuid)?, backend))).collect();
    let rows: Vec<_> = open.iter().map(|(mount, backend)| (vec![mount.path.as_str(), backend.as_str()], 1)).collect();
    let help = "Backends that did not answer last and are left alone for a while.";
    sheet.gauges("cofferdam_backend_breaker_open", help, &["mount", "backend"], &rows)
}
