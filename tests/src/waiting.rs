use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// Far more than anything takes that is waited for; it only ends a test that hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What `look` finds, looked for again and again.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "it never came that {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The whole line that a command writes to this file, once it is there.
#[track_caller]
pub fn line_of(file: &Path) -> String {
    eventually(&format!("{} is written", file.display()), || {
        fs::read_to_string(file).ok()?.strip_suffix('\n').map(str::to_owned)
    })
}

/// A process that has ended: gone, or not reaped by whoever inherited it.
pub fn has_ended(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// Sends a signal to a process that is known by its number.
#[track_caller]
pub fn signal(pid: &str, signal: Signal) {
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), signal).unwrap();
}
