//! Named queues and their workers.

use std::time::Duration;

use task_core::{BackendInfo, Name, QueueStats};

use super::{
    age, short,
    table::{Pairs, Rows},
};
use crate::render::{Printed, View, plain};

pub(super) fn stats(stats: &QueueStats, backend: &BackendInfo, view: &View) -> Printed {
    let busy: u32 = stats.workers.iter().map(|worker| worker.busy).sum();
    let slots: u32 = stats.workers.iter().map(|worker| worker.concurrency).sum();
    let totals = &stats.totals;
    let held =
        [("delayed", stats.delayed), ("of unknown names", stats.unknown_name), ("suspects", stats.suspects)];
    let held: Vec<String> =
        held.iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{n} {word}")).collect();
    let pending = if held.is_empty() {
        stats.pending.to_string()
    } else {
        format!("{} ({})", stats.pending, held.join(", "))
    };
    let oldest = stats.oldest_pending_secs.and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    let pairs = Pairs::new()
        .add("queue", &stats.queue)
        .maybe("state", stats.paused.then(|| "paused".to_owned()))
        .add("PENDING", pending)
        .add("RUNNING", stats.running.to_string())
        .add("RETRY", stats.retry.to_string())
        .add("COMPLETED", stats.completed.to_string())
        .add("FAILED", stats.failed.to_string())
        .add("SKIPPED", stats.skipped.to_string())
        .add("CANCELLED", stats.cancelled.to_string())
        .maybe("oldest waits", oldest.map(short))
        .maybe("limit", stats.limit.map(|limit| limit.to_string()))
        .add("workers", format!("{}, {busy} of {slots} slots busy", stats.workers.len()))
        .add("a minute", format!("{:.0} in, {:.0} out", stats.enqueued_per_minute, stats.finished_per_minute))
        .add(
            "so far",
            format!(
                "{} in, {} retried, {} recovered from dead workers",
                totals.enqueued,
                totals.retried,
                totals.recovered_released + totals.recovered_lease
            ),
        )
        .maybe("lost", (totals.recovered_lost > 0).then(|| lost(totals.recovered_lost)))
        .add("backend", &backend.backend)
        .add("keeps tasks", backend.durability.to_string());
    let warnings = backend.warnings.iter().map(|warning| format!("warning: {}\n", plain(warning)));
    Printed { out: pairs.show(view), err: warnings.collect() }
}

/// The queue itself lost writes.
fn lost(ends: u64) -> String {
    format!("{ends} ends of tasks, by a failover or a power cut: these were given out again")
}

pub(super) fn workers(stats: &QueueStats, view: &View) -> Printed {
    if stats.workers.is_empty() {
        return Printed::err(format!("no worker of queue `{}` is alive", stats.queue));
    }
    let mut rows = Rows::new(&["worker", "host", "pid", "busy", "since", "seen", "knows"]);
    for worker in &stats.workers {
        let names: Vec<&str> = worker.names.iter().map(Name::as_str).collect();
        rows.add([
            plain(&worker.label).into(),
            plain(&worker.host).into(),
            worker.pid.to_string().into(),
            format!("{} of {}", worker.busy, worker.concurrency).into(),
            age(worker.since, view.now).into(),
            age(worker.seen, view.now).into(),
            names.join(" ").into(),
        ]);
    }
    Printed::out(rows.show(view))
}

pub(super) fn queues(queues: &[(Name, Option<QueueStats>)], view: &View) -> Printed {
    if queues.is_empty() {
        return Printed::err("no queue was used yet");
    }
    let mut rows = Rows::new(&["queue", "PENDING", "RUNNING", "RETRY", "FAILED", "workers", "state"]);
    for (name, stats) in queues {
        let number =
            |read: fn(&QueueStats) -> u64| stats.as_ref().map(|s| read(s).to_string()).unwrap_or_default();
        rows.add([
            name.as_str().into(),
            number(|s| s.pending).into(),
            number(|s| s.running).into(),
            number(|s| s.retry).into(),
            number(|s| s.failed).into(),
            number(|s| s.workers.len() as u64).into(),
            if stats.as_ref().is_some_and(|s| s.paused) { "paused" } else { "" }.into(),
        ]);
    }
    Printed::out(rows.show(view))
}
