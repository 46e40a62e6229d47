//! Starting commands so that none outlives the worker.
//!
//! Linux sends the parent-death signal when the *thread* that forked ends, not the process. So every command is started
//! by one thread, which lives as long as the process.

use std::{
    io,
    process::{Child, Command},
    sync::{
        OnceLock,
        mpsc::{Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

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
                end_with_this_process(&mut job.command);
                let _ = job.answer.send(job.command.spawn()); // whoever asked may be gone
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

#[cfg(target_os = "linux")]
fn end_with_this_process(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;

    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    let parent = getpid();
    let end_with_parent = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // the parent may have died before the signal was armed
        if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two system calls
    // (prctl, getppid), allocates nothing (`ErrorKind` into an error is a plain value), and takes no lock.
    unsafe { command.pre_exec(end_with_parent) };
}

/// Elsewhere there is no such signal: a command whose worker was killed goes on to its end.
#[cfg(not(target_os = "linux"))]
fn end_with_this_process(_command: &mut Command) {}
