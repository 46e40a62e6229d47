//! What a process has used, from /proc.

use std::fs;

/// The memory in bytes of the largest of these processes; `None` if all are gone.
pub(crate) fn largest_rss(pids: &[u32]) -> Option<u64> {
    pids.iter().filter_map(|pid| rss(*pid)).max()
}

fn rss(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Its processor time in microseconds; `None` if it is gone.
pub(crate) fn cpu_us(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect(); // from field 3, the state, on
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Some(ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
}
