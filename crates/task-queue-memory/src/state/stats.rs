use task_core::{QueueStats, TaskStatus, Timestamp, WorkerInfo};

use super::{Apply, State};

/// Counts, ages, totals and workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stats;

impl Apply for Stats {
    type Reply = QueueStats;

    fn apply(self, state: &mut State, now: Timestamp) -> QueueStats {
        state.housekeep(now);
        let places = &state.places;
        let mut stats = QueueStats::new(state.queue.clone());
        stats.delayed = places.delayed.len() as u64;
        stats.retry = places.retries.len() as u64;
        stats.pending = state.waiting() - stats.retry;
        stats.unknown_name = state.in_unknown() as u64;
        stats.suspects = places.suspects.len() as u64;
        stats.running = places.running.len() as u64;
        stats.completed = state.finals.len(TaskStatus::Completed);
        stats.failed = state.finals.len(TaskStatus::Failed);
        stats.skipped = state.finals.len(TaskStatus::Skipped);
        stats.cancelled = state.finals.len(TaskStatus::Cancelled);
        let since = places.ready.oldest().filter_map(|id| Some(state.live(id)?.since)).min();
        stats.oldest_pending_secs = since.map(|since| now.since(since).as_secs_f64());
        stats.paused = state.paused;
        stats.limit = state.limits.waiting;
        stats.totals = state.totals;
        stats.workers = state
            .workers
            .iter()
            .map(|(incarnation, worker)| {
                let mut info = WorkerInfo::new(*incarnation, &worker.registration, worker.since);
                (info.busy, info.seen) = (worker.busy, worker.seen);
                info
            })
            .collect();
        stats.enqueued_per_minute = state.enqueued.per_minute(now);
        stats.finished_per_minute = state.finished.per_minute(now);
        stats
    }
}
