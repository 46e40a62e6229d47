use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use task_core::Timestamp;
use tokio::time::Instant;

/// The queue's clock: the time of the machine when the queue began, and from there on a clock that never goes back.
///
/// That one is Tokio's, so a test that pauses Tokio's time pauses the queue's, too.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Timestamp,
    since: Instant,
    /// Milliseconds that tests moved it on by.
    moved: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { began: SystemTime::now().into(), since: Instant::now(), moved: AtomicU64::new(0) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let moved = Duration::from_millis(self.moved.load(Ordering::Relaxed));
        // whole milliseconds that have passed: what is rounded up would come early
        let passed =
            Duration::from_millis(u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.began + passed + moved
    }

    pub(crate) fn move_on(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.moved.fetch_add(millis, Ordering::Relaxed);
    }
}
