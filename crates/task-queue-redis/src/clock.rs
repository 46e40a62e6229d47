//! The server's clock, as far as it is known here: its last answer, and the time since.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use task_core::{Name, QueueError, Timestamp};

use crate::queue::RedisQueue;

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

/// A duration as scripts get it: in whole milliseconds, rounded up, and no more than a clock counts to, since their numbers
/// are doubles.
pub(crate) fn millis(duration: Duration) -> u64 {
    (Timestamp::default() + duration).as_millis()
}

/// The end of a wait from now on; a longer one than a year is cut, since no moment is so late.
pub(crate) fn end_of(wait: Duration) -> tokio::time::Instant {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    tokio::time::Instant::now() + wait.min(LONGEST)
}

impl RedisQueue {
    /// Moves the backend's clock on, as a test's harness does; `alive`: as if it had been called all the while.
    #[doc(hidden)]
    pub async fn advance_clock(&self, queue: &Name, by: Duration, alive: bool) -> Result<(), QueueError> {
        let meta = format!("{}:meta", self.link.target.keys.base(queue));
        let fields: &[&str] = if alive { &["skew", "tick"] } else { &["skew"] };
        for field in fields {
            let by = millis(by).to_string();
            self.link.send(&["HINCRBY", &meta, field, &by], Some(queue)).await?;
        }
        self.link.clock.set(self.link.clock.now().as_millis() + millis(by));
        Ok(())
    }
}
