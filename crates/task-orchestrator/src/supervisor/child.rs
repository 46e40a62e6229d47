//! One start of a worker process.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    sync::Arc,
    thread,
};

use rustix::process::{Pid, Signal, setsid};
use task_core::Incarnation;
use tokio::sync::mpsc;

use super::{
    label,
    notify::{Ear, NotifySocket},
    plan::{Event, Start},
    system::{Handle, System},
};

/// What is started, but for what differs from start to start.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) system: &'static dyn System,
    pub(super) program: PathBuf,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(&'static str, OsString)>,
}

/// A process that was started and is not reaped yet.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) incarnation: Incarnation,
    pub(super) seat: usize,
    process: std::process::Child,
    pid: Pid,
    system: &'static dyn System,
    handle: Arc<dyn Handle>,
    /// Dropped with the child: a late word is nobody's, but what it says of attempts is counted.
    _notify: NotifySocket,
}

impl Child {
    /// Starts the program as the leader of a session, so that everything it leaves behind can be found by that.
    ///
    /// [`Event::Exited`] is sent once it is dead; it must then be [`buried`](Self::bury).
    pub(super) fn spawn(
        launch: &Launch,
        seat: usize,
        start: Start,
        socket: PathBuf,
        ear: Ear,
    ) -> io::Result<Self> {
        let incarnation = Incarnation::new();
        let events = ear.events.clone();
        let notify = NotifySocket::open(socket, start, ear)?;
        let mut command = Command::new(&launch.program);
        command.args(&launch.args).stdin(Stdio::null());
        // stdout is for results
        command.stdout(Stdio::from(io::stderr()));
        // what a service manager said to this process is not meant for its children
        for name in ["WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"] {
            command.env_remove(name);
        }
        command.envs(launch.env.iter().map(|(name, value)| (name, value)));
        command.env("WORKER_ID", label(seat)).env("WORKER_INCARNATION", incarnation.to_string());
        command.env("NOTIFY_SOCKET", notify.path());
        // SAFETY: what runs between fork and exec is one system call, setsid, which is async-signal-safe; the closure
        // allocates nothing and takes no lock (`?` maps an errno to an `io::Error` of a number).
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                Ok(())
            });
        }
        let mut process = command.spawn()?;
        let pid = Pid::from_child(&process);
        let handle = match watch(launch.system, pid, start, events) {
            Ok(handle) => handle,
            Err(error) => {
                process.kill()?;
                process.wait()?;
                return Err(error);
            }
        };
        Ok(Self { incarnation, seat, process, pid, system: launch.system, handle, _notify: notify })
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// To a dead process it does nothing.
    pub(super) fn signal(&self, signal: Signal) {
        if let Err(error) = self.handle.signal(signal) {
            tracing::debug!(%error, worker = %label(self.seat), "a signal came too late");
        }
    }

    /// Of a dead process: kills what it left behind, then reaps it. In this order, since once it is reaped the number
    /// of its session may become somebody else's.
    pub(super) fn bury(mut self) -> io::Result<ExitStatus> {
        self.system.kill_left_behind(self.pid, self.incarnation);
        self.process.wait()
    }
}

/// A handle to a child that is not reaped yet. A thread sleeps until the child is dead, without reaping it.
fn watch(
    system: &dyn System,
    pid: Pid,
    start: Start,
    events: mpsc::Sender<Event>,
) -> io::Result<Arc<dyn Handle>> {
    let handle = system.handle(pid)?;
    let watched = handle.clone();
    let dead = move || {
        watched.wait();
        let _ = events.blocking_send(Event::Exited(start));
    };
    thread::Builder::new().name(format!("wait {}", pid.as_raw_pid())).stack_size(64 << 10).spawn(dead)?;
    Ok(handle)
}
