use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a program of ours acts on.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
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
        })
    }

    /// The next one. Cancel safe: a signal that came is not lost.
    pub(crate) async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.interrupt.recv() => Order::Stop(SignalKind::interrupt().as_raw_value()),
            _ = self.terminate.recv() => Order::Stop(SignalKind::terminate().as_raw_value()),
            _ = self.hang_up.recv() => Order::Reload,
        }
    }
}
