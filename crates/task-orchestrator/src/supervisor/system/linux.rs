//! Linux: handles to processes, orphans that come to who asked for them, and `/proc`.

mod processes;

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid as wait_for};
use rustix::{
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, pidfd_open, pidfd_send_signal,
        set_child_subreaper, waitid,
    },
};
use task_core::Incarnation;

use super::{Handle, System};

#[derive(Debug)]
pub(super) struct Linux;

impl System for Linux {
    fn adopt_orphans(&self) -> io::Result<()> {
        Ok(set_child_subreaper(Some(getpid()))?)
    }

    /// It looks at a dead child before it reaps it, and never reaps "any": that would take the exit of a worker away from
    /// who waits for it. A dead worker hides those behind it; so this is called again when the worker was reaped.
    fn reap_orphans(&self, is_worker: &dyn Fn(Pid) -> bool) {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(WaitStatus::Exited(dead, _) | WaitStatus::Signaled(dead, _, _)) = wait_for(Id::All, look)
        {
            let Some(pid) = Pid::from_raw(dead.as_raw()).filter(|pid| !is_worker(*pid)) else { return };
            tracing::debug!(%dead, "reaped an orphan");
            if waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG).is_err() {
                return;
            }
        }
    }

    fn handle(&self, child: Pid) -> io::Result<Arc<dyn Handle>> {
        Ok(Arc::new(PidFd::open(child)?))
    }

    fn kill_left_behind(&self, worker: Pid, incarnation: Incarnation) {
        processes::kill_session(worker);
        processes::kill_started_by(incarnation);
    }
}

/// A handle that can't come to mean another process.
#[derive(Debug)]
struct PidFd(OwnedFd);

impl PidFd {
    fn open(pid: Pid) -> io::Result<Self> {
        Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
    }
}

impl Handle for PidFd {
    fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(pidfd_send_signal(self.0.as_fd(), signal)?)
    }

    fn wait(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::PidFd(self.0.as_fd()), options) {}
    }
}
