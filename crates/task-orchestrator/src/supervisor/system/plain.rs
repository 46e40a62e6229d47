//! In place of what only Linux has. The gaps: orphans of dead workers go to init; of what a dead worker left behind only its
//! own process group is found (its commands have a guardian of their own); and signals go to a child by its number, which
//! is its own for as long as it is not reaped.

use std::{io, sync::Arc};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid},
};
use task_core::Incarnation;

use super::{Handle, System};

/// Any Unix.
#[derive(Debug)]
pub(in super::super) struct Plain;

impl System for Plain {
    fn adopt_orphans(&self) -> io::Result<()> {
        Ok(())
    }

    fn reap_orphans(&self, _is_worker: &dyn Fn(Pid) -> bool) {}

    fn handle(&self, child: Pid) -> io::Result<Arc<dyn Handle>> {
        Ok(Arc::new(Number(child)))
    }

    fn kill_left_behind(&self, worker: Pid, _incarnation: Incarnation) {
        // it leads its group; some systems refuse where nobody but the dead leader is left in it
        let _ = kill_process_group(worker, Signal::KILL);
    }
}

#[derive(Debug)]
struct Number(Pid);

impl Handle for Number {
    fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.0, signal)?)
    }

    fn wait(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(Errno::INTR) = waitid(WaitId::Pid(self.0), options) {}
    }
}
