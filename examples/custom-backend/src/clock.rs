use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use task_core::Timestamp;

/// The queue's clock: the time of the machine when the queue was opened, though not before the last one in its journal, and
/// from there on a clock that never goes back.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Timestamp,
    since: Instant,
    /// Milliseconds that tests moved it on by.
    moved: AtomicU64,
}

impl Clock {
    pub(crate) fn after(last: Timestamp) -> Self {
        let began = last.max(SystemTime::now().into());
        Self { began, since: Instant::now(), moved: AtomicU64::default() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began + Duration::from_millis(passed.saturating_add(self.moved.load(Ordering::Relaxed)))
    }

    #[cfg(test)]
    pub(crate) fn move_on(&self, by: Duration) {
        self.moved.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}
