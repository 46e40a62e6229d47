//! Linux ends a command with its worker: by the parent-death signal.
//!
//! It is sent when the *thread* that forked ends, not the process. So every command is started by one thread, which lives
//! as long as the process.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Child, Command},
};

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Starts a command that is killed when this thread ends.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    let parent = getpid();
    let end_with_parent = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // the parent may have died before the signal was armed
        if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two system calls
    // (prctl, getppid), allocates nothing (`ErrorKind` into an error is a plain value), and takes no lock.
    unsafe { command.pre_exec(end_with_parent) };
    command.spawn()
}

/// The signal was the command's own: nothing remembers its number.
pub(super) fn before_reap(_child: &Child) {}
