//! The real binaries, as people start them.

mod bad_input;
mod batch;
mod command_line;
mod crashes;
mod monitoring;
mod outage;
mod service;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use task_core::TaskQueue;
use task_queue_redis::RedisQueue;
use task_testkit::RedisServer;

/// Far more than anything here takes; it only ends a test that hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What `look` finds, looked for again and again.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
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
pub(crate) fn line_of(file: &Path) -> String {
    eventually(&format!("{} is written", file.display()), || {
        fs::read_to_string(file).ok()?.strip_suffix('\n').map(str::to_owned)
    })
}

/// A process that has ended: gone, or not reaped by whoever inherited it.
pub(crate) fn has_ended(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// A queue as a producer has it.
pub(crate) async fn queue(server: &RedisServer) -> TaskQueue {
    TaskQueue::new(RedisQueue::connect(&server.url()).await.unwrap())
}

pub(crate) fn kill(pid: &str) {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
