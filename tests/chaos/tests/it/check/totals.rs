//! The counters say what the records say.

use std::collections::BTreeMap;

use task_core::{FailureKind, QueueStats, ResultMessage, TaskStatus};

use super::History;
use crate::entry::{Entry, Replay};

/// Adds up.
#[derive(Default)]
struct Sum {
    by_status: BTreeMap<TaskStatus, u64>,
    expired: u64,
    /// Cancelled, and it had been run.
    stopped: u64,
    failures: u64,
    crashes: u64,
    /// Failed as a crash too many: no failure of its own.
    crashed: u64,
}

impl Sum {
    fn add(&mut self, record: &ResultMessage) {
        let is = |kind| record.error.as_ref().is_some_and(|error| error.kind == kind);
        if record.status == TaskStatus::Cancelled && is(FailureKind::Expired) {
            self.expired += 1;
        } else {
            *self.by_status.entry(record.status).or_default() += 1;
        }
        self.crashed += u64::from(record.status == TaskStatus::Failed && is(FailureKind::Crashed));
        self.stopped += u64::from(record.status == TaskStatus::Cancelled && record.attempts > 0);
        self.failures += u64::from(record.failures);
        self.crashes += u64::from(record.crashes);
    }

    fn of(&self, status: TaskStatus) -> u64 {
        self.by_status.get(&status).copied().unwrap_or_default()
    }
}

impl History<'_> {
    pub(super) fn check_totals(
        &self,
        stats: &QueueStats,
        entries: &BTreeMap<&str, &Entry>,
        wrong: &mut Vec<String>,
    ) {
        let totals = &stats.totals;
        let (mut now, mut ever) = (Sum::default(), Sum::default());
        let (mut known, mut releases, mut replayed, mut unknown) = (0, 0, 0, 0);
        for (id, record) in self.records.iter().filter(|(_, record)| record.queue == stats.queue) {
            known += 1;
            releases += u64::from(record.releases);
            now.add(record);
            ever.add(record);
            match entries.get(id.as_str()).map(|entry| &entry.replay) {
                Some(Replay::Of(before)) => {
                    replayed += 1;
                    ever.add(before);
                }
                Some(Replay::Unknown) => unknown += 1,
                _ => {}
            }
        }
        for status in TaskStatus::ALL {
            let recorded = now.of(status) + if status == TaskStatus::Cancelled { now.expired } else { 0 };
            if stats.count(status) != recorded {
                wrong.push(format!(
                    "{}: {recorded} are {status}, and {} are counted",
                    stats.queue,
                    stats.count(status)
                ));
            }
        }
        let retries = ever.failures - (ever.of(TaskStatus::Failed) - ever.crashed);
        let recovered = totals.recovered_released + totals.recovered_lease + totals.recovered_lost;
        // what is counted, how many records there are of it, and how many less may be counted: an attempt that a cancel
        // ended is no retry and no release
        for (what, counted, recorded, less) in [
            ("enqueued", totals.enqueued, known, 0),
            ("COMPLETED", totals.completed, ever.of(TaskStatus::Completed), 0),
            ("FAILED", totals.failed, ever.of(TaskStatus::Failed), 0),
            ("SKIPPED", totals.skipped, ever.of(TaskStatus::Skipped), 0),
            ("CANCELLED", totals.cancelled, ever.of(TaskStatus::Cancelled), 0),
            ("expired", totals.expired, ever.expired, 0),
            ("replayed", totals.replayed, replayed, 0),
            ("retried", totals.retried, retries, ever.stopped),
            ("released", totals.released, releases, ever.stopped),
            ("recovered", recovered, ever.crashes, 0),
        ] {
            // a replay that was lost with a server is not what the app was told
            let never_replayed = matches!(what, "enqueued" | "COMPLETED" | "SKIPPED");
            if !never_replayed && !self.losses.is_empty() && replayed + unknown > 0 {
                continue;
            }
            // what was before a replay of which the app knows nothing is in no record
            let more = if what == "enqueued" { 0 } else { unknown * 4 };
            if counted > recorded + more || counted + less < recorded {
                wrong.push(format!(
                    "{}: {recorded} tasks or runs were {what}, and {counted} are counted",
                    stats.queue
                ));
            }
        }
    }
}
