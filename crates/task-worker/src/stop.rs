//! What tells a worker to stop: signals, and the end of its orchestrator.

use std::{os::fd::RawFd, time::Duration};

use tokio::{
    io::AsyncReadExt as _,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

use crate::settings::WorkerError;

/// How a worker is to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stop {
    #[default]
    Run,
    /// Claim nothing; what runs goes on.
    Paused,
    /// Claim nothing, finish within the grace.
    Graceful,
    /// Give back now.
    Now,
}

pub(crate) struct Signals {
    ends: [Signal; 2],
    pause: Signal,
    go_on: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, WorkerError> {
        Ok(Self {
            ends: [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?],
            pause: signal(SignalKind::from_raw(nix::libc::SIGTSTP))?,
            go_on: signal(SignalKind::from_raw(nix::libc::SIGCONT))?,
        })
    }

    /// Tells each signal on, without end.
    pub(crate) async fn tell(mut self, stop: watch::Sender<Stop>) {
        let [term, int] = &mut self.ends;
        let mut lifeline = std::pin::pin!(lifeline());
        let mut alive = true;
        loop {
            // a signal that comes while another is told is kept by its stream
            let next = tokio::select! {
                _ = term.recv() => None,
                _ = int.recv() => None,
                _ = self.pause.recv() => Some(Stop::Paused),
                _ = self.go_on.recv() => Some(Stop::Run),
                () = &mut lifeline, if alive => {
                    alive = false;
                    Some(Stop::Graceful)
                }
            };
            stop.send_modify(|stop| {
                *stop = match (*stop, next) {
                    (Stop::Run | Stop::Paused, None) => Stop::Graceful,
                    (_, None) => Stop::Now,
                    (Stop::Graceful | Stop::Now, Some(_)) => *stop,
                    (_, Some(next)) => next,
                }
            });
        }
    }
}

/// Waits for the end of the pipe that an orchestrator holds open while it lives; for ever without one.
async fn lifeline() {
    let number = std::env::var("TASK_LIFELINE_FD").ok().and_then(|text| text.parse::<RawFd>().ok());
    let Some(number) = number else { return std::future::pending().await };
    // opened by its path, so that it is ours to close
    let pipe = tokio::net::unix::pipe::OpenOptions::new().open_receiver(format!("/proc/self/fd/{number}"));
    let Ok(mut pipe) = pipe else {
        tracing::warn!(
            number,
            "TASK_LIFELINE_FD is no pipe that can be read; the orchestrator's end goes unseen"
        );
        return std::future::pending().await;
    };
    let mut buffer = [0; 16];
    while pipe.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// Speaks to a service manager or orchestrator that listens on NOTIFY_SOCKET; nothing without one.
pub(crate) async fn notify() {
    use sd_notify::NotifyState as State;
    let _ = sd_notify::notify(&[State::Ready]);
    loop {
        let _ = sd_notify::notify(&[State::Watchdog]);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

pub(crate) fn notify_stopping() {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
}
