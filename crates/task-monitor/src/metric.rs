use task_core::{QueueStats, TaskStatus, Totals};

/// A metric: what `/metrics` writes, and the documentation prints.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Metric {
    /// Its name; a counter's samples end in `_total` on top of it.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it says, in one line.
    pub help: &'static str,
    pub(crate) source: Source,
}

/// What kind of number a [`Metric`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A distribution, in seconds.
    Histogram,
}

/// Where a metric's numbers come from. A number of a queue comes with the value of its second label, if it has one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    Totals(fn(&QueueStats) -> Vec<(&'static str, u64)>),
    Levels(fn(&QueueStats) -> Vec<(&'static str, f64)>),
    Up,
    Wait,
    Run,
    Children,
    Restarts,
    AllParked,
}

const fn total(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&QueueStats) -> Vec<(&'static str, u64)>,
) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, help, source: Source::Totals(read) }
}

const fn level(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&QueueStats) -> Vec<(&'static str, f64)>,
) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels, help, source: Source::Levels(read) }
}

/// Every metric, in the order in which `/metrics` writes them.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "task_queue_up",
        kind: MetricKind::Gauge,
        labels: &["queue"],
        help: "1 if the queue answered this scrape, else 0, and its other numbers are the last ones",
        source: Source::Up,
    },
    total("task_enqueued", &["queue"], "Tasks taken in", |stats| one(stats.totals.enqueued)),
    total("task_finished", &["queue", "state"], "Tasks that became final, by state", |stats| {
        let totals = &stats.totals;
        vec![
            ("COMPLETED", totals.completed),
            ("FAILED", totals.failed),
            ("SKIPPED", totals.skipped),
            ("CANCELLED", totals.cancelled + totals.expired),
        ]
    }),
    total(
        "task_expired",
        &["queue"],
        "Tasks that were CANCELLED since they expired before their first start",
        |s| one(s.totals.expired),
    ),
    total("task_retried", &["queue"], "Failed attempts that were tried again", |stats| {
        one(stats.totals.retried)
    }),
    total(
        "task_recovered",
        &["queue", "reason"],
        "Tasks taken from dead workers, by how the death was seen; lost: the queue lost how they had ended",
        |s| {
            let Totals { recovered_released, recovered_lease, recovered_lost, .. } = s.totals;
            vec![("released", recovered_released), ("lease", recovered_lease), ("lost", recovered_lost)]
        },
    ),
    total("task_released", &["queue"], "Tasks given back unfinished by workers that stopped", |stats| {
        one(stats.totals.released)
    }),
    total("task_replayed", &["queue"], "Tasks that were run again by hand", |stats| {
        one(stats.totals.replayed)
    }),
    total(
        "task_results_dropped",
        &["queue"],
        "Results dropped before their time, over the cap by count",
        |stats| one(stats.totals.dropped_results),
    ),
    level("task_queue_depth", &["queue", "state"], "Tasks in the queue, by state", |stats| {
        TaskStatus::ALL.into_iter().map(|status| (status.as_str(), stats.count(status) as f64)).collect()
    }),
    level("task_queue_held", &["queue", "reason"], "PENDING tasks that can't run yet, by reason", |stats| {
        vec![
            ("delayed", stats.delayed as f64),
            ("unknown_name", stats.unknown_name as f64),
            ("suspect", stats.suspects as f64),
        ]
    }),
    level(
        "task_queue_oldest_seconds",
        &["queue"],
        "How long the first task that could start has waited",
        |stats| vec![("", stats.oldest_pending_secs.unwrap_or(0.0))],
    ),
    level("task_queue_paused", &["queue"], "1 while the queue is paused", |stats| {
        vec![("", f64::from(u8::from(stats.paused)))]
    }),
    level("task_queue_workers", &["queue"], "Workers of the queue that are alive", |stats| {
        vec![("", stats.workers.len() as f64)]
    }),
    level(
        "task_queue_slots",
        &["queue"],
        "Tasks that these workers can run at once, of all their queues",
        |stats| vec![("", stats.workers.iter().map(|worker| f64::from(worker.concurrency)).sum())],
    ),
    level(
        "task_queue_busy",
        &["queue"],
        "Tasks of the queue that these workers ran at their last beat",
        |stats| vec![("", stats.workers.iter().map(|worker| f64::from(worker.busy)).sum())],
    ),
    Metric {
        name: "task_wait_seconds",
        kind: MetricKind::Histogram,
        labels: &["queue", "task"],
        help: "From when a task could start to its start, as this process saw it",
        source: Source::Wait,
    },
    Metric {
        name: "task_run_seconds",
        kind: MetricKind::Histogram,
        labels: &["queue", "task"],
        help: "How long attempts took, as this process saw them",
        source: Source::Run,
    },
    Metric {
        name: "task_children_alive",
        kind: MetricKind::Gauge,
        labels: &[],
        help: "Workers of this process that are alive",
        source: Source::Children,
    },
    Metric {
        name: "task_children_restarted",
        kind: MetricKind::Counter,
        labels: &["reason"],
        help: "Workers of this process that were started again, by why",
        source: Source::Restarts,
    },
    Metric {
        name: "task_children_all_parked",
        kind: MetricKind::Gauge,
        labels: &[],
        help: "1 while every worker of this process is parked",
        source: Source::AllParked,
    },
];

fn one(total: u64) -> Vec<(&'static str, u64)> {
    vec![("", total)]
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn table() -> String {
        let mut table = String::from(
            "\n# Metrics\n\n| name on `/metrics` | kind | labels | meaning |\n|---|---|---|---|\n",
        );
        for Metric { name, kind, labels, help, .. } in METRICS {
            let (kind, suffix) = match kind {
                MetricKind::Counter => ("counter", "_total"),
                MetricKind::Gauge => ("gauge", ""),
                MetricKind::Histogram => ("histogram", ""),
            };
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            writeln!(table, "| `{name}{suffix}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
        }
        table
    }

    #[test]
    fn the_documentation_lists_every_metric_as_it_is_written() {
        let table = table();
        assert!(include_str!("../metrics.md") == table, "metrics.md is to be:\n{table}");
    }

    #[test]
    fn a_metric_says_what_it_counts_in_its_name_once() {
        for (i, metric) in METRICS.iter().enumerate() {
            assert!(!METRICS[..i].iter().any(|other| other.name == metric.name), "{} twice", metric.name);
            assert!(!metric.name.ends_with("_total"), "the encoder appends _total to {}", metric.name);
        }
    }
}
