//! What the operating system says of this process, for the metrics.

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cofferdam_core::ProcessStats;
use cofferdam_model::{Clock as _, SystemClock, Timestamp};

/// In which times on the processor are given below /proc; part of Linux's ABI.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads `/proc/self`. None: there is no such thing here, or it is no longer ours to read.
pub(crate) fn stats() -> impl Fn() -> Option<ProcessStats> + Send + Sync {
    let started = SystemClock.now();
    let proc = Dir::open_ambient_dir("/proc", ambient_authority()).ok();
    move || {
        let proc = proc.as_ref()?;
        read(&proc.read_to_string("self/stat").ok()?, &proc.read_to_string("self/status").ok()?, started)
    }
}

fn read(stat: &str, status: &str, started: Timestamp) -> Option<ProcessStats> {
    // The name, in brackets, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    let line = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(ProcessStats {
        // The fields are counted from the one after the name, which is the third.
        cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
        resident_bytes: line("VmRSS:")? * 1024,
        threads: line("Threads:")?,
        started,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let stat = "7 (odd ) name) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000 200 0";
        let status = "Name:\todd ) name\nVmRSS:\t    2048 kB\nThreads:\t9\n";
        let want =
            ProcessStats { cpu_seconds: 3.0, resident_bytes: 2 << 20, threads: 9, started: Timestamp::default() };
        assert_eq!(read(stat, status, Timestamp::default()), Some(want));
        assert_eq!(read("", status, Timestamp::default()), None);
        assert!(stats()().is_some_and(|own| own.resident_bytes > 0 && own.threads > 0));
    }
}
