//! Processes, known by their numbers.

use std::{
    fs,
    sync::Once,
    time::{Duration, Instant},
};

use nix::sys::signal::{SigHandler, Signal as Number, signal};
use rustix::process::{Pid, Signal, kill_process};
use task_tests::has_ended;

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

pub(crate) fn kill(pid: u32) {
    send(pid, Signal::KILL);
}

/// It does nothing any more, and doesn't know it.
pub(crate) fn stop(pid: u32) {
    send(pid, Signal::STOP);
}

pub(crate) fn go_on(pid: u32) {
    send(pid, Signal::CONT);
}

/// Keeps every core busy for so long, with two threads each.
pub(crate) async fn keep_busy(long: Duration) {
    let cores = std::thread::available_parallelism().unwrap().get();
    let end = Instant::now() + long;
    let spin = move || {
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    };
    let spinning: Vec<_> = (0..2 * cores).map(|_| tokio::task::spawn_blocking(spin)).collect();
    for one in spinning {
        one.await.unwrap();
    }
}

/// The processes that are started from here on see a file that may not grow as a full disk, and are not killed for it.
pub(crate) fn survive_a_full_disk() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: a signal that is ignored runs no code
        unsafe { signal(Number::SIGXFSZ, SigHandler::SigIgn) }.unwrap();
    });
}

/// The processes whose parent this is, and which have not ended, in their order.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let processes =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_child = |pid: &String| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let of = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        of == Some(parent) && !has_ended(pid)
    };
    let mut found: Vec<u32> = processes
        .filter(|name| name.parse::<u32>().is_ok())
        .filter(is_child)
        .filter_map(|pid| pid.parse().ok())
        .collect();
    found.sort_unstable();
    found
}
