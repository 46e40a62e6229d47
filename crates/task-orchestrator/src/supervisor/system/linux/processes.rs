//! What the system knows of processes: who is whose child, and in which session.

use std::{fs, io};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use task_core::Incarnation;

use super::{Handle as _, PidFd};

/// A process as `/proc/PID/stat` describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    pub(super) zombie: bool,
}

fn all() -> io::Result<Vec<Process>> {
    let read = |entry: io::Result<fs::DirEntry>| {
        let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    };
    Ok(fs::read_dir("/proc")?.filter_map(read).collect())
}

/// `PID (NAME) STATE PARENT GROUP SESSION …`, where the name may hold anything, brackets and line ends too.
fn parse(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let mut fields = rest.rsplit_once(')')?.1.split_ascii_whitespace();
    let (state, _parent) = (fields.next()?, fields.next()?);
    let mut number = || fields.next()?.parse().ok();
    Some(Process { pid: pid.parse().ok()?, group: number()?, session: number()?, zombie: state == "Z" })
}

/// Kills whatever is left of a dead worker's session: the process groups of its commands, and what they left behind.
///
/// The worker must not be reaped yet: until then its number, which is the session's, belongs to nobody else.
pub(super) fn kill_session(leader: Pid) {
    let own = leader.as_raw_pid();
    // what forks while this looks is found by looking again; each round kills, so this ends
    for _ in 0..8 {
        let rest = all().unwrap_or_default();
        let left: Vec<Process> =
            rest.into_iter().filter(|p| p.session == own && p.pid != own && !p.zombie).collect();
        if left.is_empty() {
            return;
        }
        for process in left {
            let group = Pid::from_raw(process.group).filter(|_| process.group != own);
            let killed = match (group, Pid::from_raw(process.pid)) {
                (Some(group), _) => kill_process_group(group, Signal::KILL),
                (None, Some(pid)) => kill_process(pid, Signal::KILL),
                (None, None) => Ok(()),
            };
            if let Err(error) = killed
                && error != rustix::io::Errno::SRCH
            {
                tracing::warn!(%error, pid = process.pid, "can't kill what a dead worker left behind");
            }
        }
    }
}

/// Kills whatever else a dead worker left behind: what left its session, as a daemon does. A worker and its commands have its
/// incarnation in their environment, and so has what they start, unless it clears that.
pub(super) fn kill_started_by(worker: Incarnation) {
    let marks =
        ["WORKER_INCARNATION", "TASK_INCARNATION"].map(|name| format!("{name}={worker}").into_bytes());
    let is_marked = |pid: i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| marks.iter().any(|mark| mark == variable))
    };
    // as above; what this may not look into is somebody else's
    for _ in 0..8 {
        let mut left = false;
        for process in all().unwrap_or_default().into_iter().filter(|process| !process.zombie) {
            if !is_marked(process.pid) {
                continue;
            }
            let Some(Ok(handle)) = Pid::from_raw(process.pid).map(PidFd::open) else { continue };
            // looked at again through a number that the handle keeps its own, or that is dead and hears nothing
            if is_marked(process.pid) {
                left = true;
                let _ = handle.signal(Signal::KILL);
            }
        }
        if !left {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let found = parse("12 (a) Z (b\n) S 1 11 10 0 -1").unwrap();
        assert_eq!(found, Process { pid: 12, group: 11, session: 10, zombie: false });
        assert!(parse("12 (a) Z 1 1 1 0").unwrap().zombie);
        assert_eq!(parse("12 (a"), None);
    }

    #[test]
    fn this_process_is_among_all() {
        let own = std::process::id().cast_signed();
        assert!(all().unwrap().iter().any(|process| process.pid == own));
    }
}
