//! The server's clock, as far as it is known here: its last answer, and the time since.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use task_core::Timestamp;

/// For what a client must write into a record itself: when it was enqueued. Scripts ask the server.
pub(crate) struct Clock {
    began: Instant,
    /// Microseconds, so that no rounding brings us ahead of the server.
    server_then: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let now = Timestamp::now().as_millis() * 1000;
        Self { began: Instant::now(), server_then: AtomicU64::new(now) }
    }

    fn elapsed(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    /// The server said that it is now so late.
    pub(crate) fn set(&self, server: u64) {
        self.server_then.store((server * 1000).saturating_sub(self.elapsed()), Ordering::Relaxed);
    }

    /// Its time now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis((self.server_then.load(Ordering::Relaxed) + self.elapsed()) / 1000)
    }
}
