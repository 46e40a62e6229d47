use task_core::{QueueStats, TaskStatus, Timestamp, WorkerInfo};

use super::{Apply, State};

/// Counts, ages, totals and workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stats;

impl Apply for Stats {
    type Reply = QueueStats;

    fn apply(self, state: &mut State, now: Timestamp) -> QueueStats {
        state.housekeep(now);
        state.stats(now)
    }
}

impl State {
    /// Counts, ages, totals and workers.
    pub fn stats(&self, now: Timestamp) -> QueueStats {
        let places = &self.places;
        let mut stats = QueueStats::new(self.queue.clone());
        stats.delayed = places.delayed.len() as u64;
        stats.retry = places.retries.len() as u64;
        stats.pending = self.waiting() - stats.retry;
        stats.unknown_name = self.in_unknown() as u64;
        stats.suspects = places.suspects.len() as u64;
        stats.running = places.running.len() as u64;
        stats.completed = self.finals.len(TaskStatus::Completed);
        stats.failed = self.finals.len(TaskStatus::Failed);
        stats.skipped = self.finals.len(TaskStatus::Skipped);
        stats.cancelled = self.finals.len(TaskStatus::Cancelled);
        let since = places.ready.oldest().filter_map(|id| Some(self.live(id)?.since)).min();
        stats.oldest_pending_secs = since.map(|since| now.since(since).as_secs_f64());
        stats.paused = self.paused;
        stats.limit = self.limits.waiting;
        stats.totals = self.totals;
        stats.workers = self
            .workers
            .iter()
            .map(|(incarnation, worker)| {
                let mut info = WorkerInfo::new(*incarnation, &worker.registration, worker.since);
                (info.busy, info.seen) = (worker.busy, worker.seen);
                info
            })
            .collect();
        stats.enqueued_per_minute = self.enqueued.per_minute(now);
        stats.finished_per_minute = self.finished.per_minute(now);
        stats
    }
}
