//! What the supervisor asks of the operating system. Linux can do all of it; what others can't is done plainly, with the gaps
//! that docs/orchestrator.md names, and the plain way is tested on Linux too.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(test, not(target_os = "linux")))]
mod plain;

use std::{fmt, io, sync::Arc};

use rustix::process::{Pid, Signal};
use task_core::Incarnation;

#[cfg(test)]
pub(super) use self::plain::Plain;

/// The one that this program was built for.
#[cfg(target_os = "linux")]
pub(super) const NATIVE: &dyn System = &linux::Linux;
#[cfg(not(target_os = "linux"))]
pub(super) const NATIVE: &dyn System = &plain::Plain;

/// A kind of operating system.
pub(super) trait System: fmt::Debug + Sync {
    /// From now on the orphans of this process's descendants become its children, where there is such a thing.
    ///
    /// # Errors
    /// Of the operating system.
    fn adopt_orphans(&self) -> io::Result<()>;

    /// Reaps those of them that are dead.
    fn reap_orphans(&self, is_worker: &dyn Fn(Pid) -> bool);

    /// A handle to a child that is not reaped yet.
    ///
    /// # Errors
    /// Of the operating system.
    fn handle(&self, child: Pid) -> io::Result<Arc<dyn Handle>>;

    /// Kills what a dead worker left behind, as far as it can be found.
    ///
    /// The worker must not be reaped yet: until then its number, which is also that of its session and of its group, is
    /// nobody else's.
    fn kill_left_behind(&self, worker: Pid, incarnation: Incarnation);
}

/// A child that is not reaped yet.
pub(super) trait Handle: fmt::Debug + Send + Sync {
    /// Sends it a signal; one that is dead hears nothing.
    ///
    /// # Errors
    /// Of the operating system.
    fn signal(&self, signal: Signal) -> io::Result<()>;

    /// Blocks until the child is dead, without reaping it.
    fn wait(&self);
}
