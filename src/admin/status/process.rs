//! The process and its machine, as /proc tells.

use std::time::Duration;

/// Memory of the process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::admin) struct Memory {
    /// In physical memory: VmRSS.
    pub resident: u64,
    /// Reserved for data and heap: VmData.
    pub reserved: u64,
    /// Of the resident memory, what no file backs: RssAnon.
    pub anonymous: u64,
}

/// Memory of the machine, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::admin) struct MachineMemory {
    /// All of it: MemTotal.
    pub total: u64,
    /// What could be had without swapping: MemAvailable.
    pub available: u64,
}

/// Ticks a second in /proc, the same on all Linux systems that Rust runs on.
const TICKS: u64 = 100;

pub(in crate::admin) fn memory() -> Memory {
    let text = read("/proc/self/status");
    Memory {
        resident: kilobytes(&text, "VmRSS"),
        reserved: kilobytes(&text, "VmData"),
        anonymous: kilobytes(&text, "RssAnon"),
    }
}

pub(in crate::admin) fn machine_memory() -> MachineMemory {
    let text = read("/proc/meminfo");
    MachineMemory {
        total: kilobytes(&text, "MemTotal"),
        available: kilobytes(&text, "MemAvailable"),
    }
}

/// How long the process runs.
pub(in crate::admin) fn up_time() -> Duration {
    let started = started(&read("/proc/self/stat")).unwrap_or_default();
    let now = read("/proc/uptime")
        .split(' ')
        .next()
        .and_then(|seconds| seconds.trim().parse::<f64>().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or_default();
    now.saturating_sub(started)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A line such as `VmRSS:     11264 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(':')?
                .split_whitespace()
                .next()?
                .parse::<u64>()
                .ok()
        })
        .unwrap_or_default()
        .saturating_mul(1024)
}

/// When the process began, after the start of the machine: field 22. The name before may hold blanks and parentheses.
fn started(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks: u64 = rest.split(' ').nth(19)?.parse().ok()?;
    Some(Duration::from_millis(ticks.saturating_mul(1000 / TICKS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_found_behind_any_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 4 0 123456 1000 200";
        assert_eq!(started(stat), Some(Duration::from_millis(1_234_560)));
    }

    #[test]
    fn this_process_has_memory_and_an_age() {
        let memory = memory();
        assert!(memory.resident > 0 && memory.reserved > 0);
        assert!((1..=memory.resident).contains(&memory.anonymous));
        let machine = machine_memory();
        assert!(machine.total >= machine.available && machine.available > 0);
        assert!(up_time() < Duration::from_secs(24 * 3600));
    }
}
