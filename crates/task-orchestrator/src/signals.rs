use std::{io, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};

/// Whoever tells a process and its group to stop, as `timeout` does, tells it twice; who means it comes later.
const ONE: Duration = Duration::from_millis(300);

/// The signals that a program of ours acts on.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// By which signal it was told to stop first, and when.
    stopped: Option<(i32, Instant)>,
}

/// What a signal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Stop; its number becomes part of a batch's exit code.
    Stop(i32),
    /// Restart the workers, one after the other.
    Reload,
}

impl Signals {
    /// From now on they are ours.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            stopped: None,
        })
    }

    /// The next one. An echo of the first one to stop is none. Cancel safe: a signal that came is not lost.
    pub(crate) async fn next(&mut self) -> Order {
        loop {
            let number = tokio::select! {
                _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
                _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
                _ = self.hang_up.recv() => return Order::Reload,
            };
            let now = Instant::now();
            let is_echo = self.stopped.is_some_and(|(first, at)| first == number && now - at < ONE);
            self.stopped.get_or_insert((number, now));
            if !is_echo {
                return Order::Stop(number);
            }
        }
    }
}
