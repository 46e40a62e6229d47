//! What only Linux has: handles to processes, orphans that come to who asked for them.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid as wait_for};
use rustix::{
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, pidfd_open, pidfd_send_signal,
        set_child_subreaper, waitid,
    },
};

/// A handle to a child that is not reaped yet: it can't come to mean another process.
#[derive(Debug)]
pub(super) struct Handle(OwnedFd);

impl Handle {
    pub(super) fn open(pid: Pid) -> io::Result<Self> {
        Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(self.0.as_fd(), signal)?)
    }

    /// Blocks until the child is dead, without reaping it.
    pub(super) fn wait(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::PidFd(self.0.as_fd()), options) {}
    }
}

/// From now on the orphans of this process's descendants become its children.
pub(super) fn become_reaper() -> io::Result<()> {
    Ok(set_child_subreaper(Some(getpid()))?)
}

/// Reaps the dead that were nobody's: children of dead descendants, which this process inherits.
///
/// It looks at a dead child before it reaps it, and never reaps "any": that would take the exit of a worker away from
/// who waits for it. A dead worker hides those behind it; so this is called again when the worker was reaped.
pub(super) fn reap_orphans(is_worker: impl Fn(Pid) -> bool) {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Ok(WaitStatus::Exited(dead, _) | WaitStatus::Signaled(dead, _, _)) = wait_for(Id::All, look) {
        let Some(pid) = Pid::from_raw(dead.as_raw()).filter(|pid| !is_worker(*pid)) else { return };
        tracing::debug!(%dead, "reaped an orphan");
        if waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).is_err() {
            return;
        }
    }
}
