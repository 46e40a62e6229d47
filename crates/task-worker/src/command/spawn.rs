//! Starting commands so that none outlives the worker.

#[cfg(any(test, not(target_os = "linux")))]
mod guardian;
#[cfg(target_os = "linux")]
mod parent_death;

use std::{
    io,
    process::{Child, Command, ExitStatus},
    sync::{
        OnceLock,
        mpsc::{Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

#[cfg(not(target_os = "linux"))]
use self::guardian as leash;
#[cfg(target_os = "linux")]
use self::parent_death as leash;

struct Job {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

static SPAWNER: OnceLock<Sender<Job>> = OnceLock::new();

/// Starts a command in a process group of its own, to be killed when this process ends, however it ends. Blocks until
/// it has started.
///
/// # Errors
/// Of the operating system.
pub(super) fn spawn(mut command: Command) -> io::Result<Child> {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        let work = move || {
            for mut job in jobs {
                let _ = job.answer.send(leash::spawn(&mut job.command)); // whoever asked may be gone
            }
        };
        // without the thread every job's channel is closed, which is told below
        let _ = thread::Builder::new().name("task-spawner".into()).spawn(work);
        sender
    });
    let (answer, spawned) = sync_channel(1);
    let gone = || io::Error::other("the thread that starts commands is gone");
    spawner.send(Job { command, answer }).map_err(|_| gone())?;
    spawned.recv().map_err(|_| gone())?
}

/// Waits for a command that has exited, and whose number means nothing any more from then on.
///
/// # Errors
/// Of the operating system.
pub(super) fn reap(child: &mut Child) -> io::Result<ExitStatus> {
    leash::before_reap(child);
    child.wait()
}
