//! The goals, and the runs that they are measured by.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the runs of a round reported, by their names.
pub(super) type Reports = BTreeMap<&'static str, Value>;

/// A goal: what is measured, by which run, and what it has to be.
pub(super) struct Goal {
    pub(super) number: u8,
    pub(super) what: &'static str,
    pub(super) figure: Figure,
    pub(super) bound: Bound,
    pub(super) unit: &'static str,
}

/// What is taken out of the reports of a round.
pub(super) enum Figure {
    Of(&'static str, &'static str),
    /// The first by the second.
    Ratio((&'static str, &'static str), (&'static str, &'static str)),
}

/// The least or the most that a figure may be.
pub(super) enum Bound {
    Least(f64),
    Most(f64),
    /// Shown for comparison alone.
    None,
}

use Bound::{Least, Most};
use Figure::{Of, Ratio};

/// The runs of a round, by the names that the goals call them; `{n}` stands for the number of tasks.
pub(super) const RUNS: &[(&str, &str)] = &[
    ("limit", "limit --private-redis none --tasks {n}"),
    ("drain", "drain --private-redis none --tasks {n}"),
    ("one", "drain --private-redis none --tasks 5000 --concurrency 1"),
    ("enqueue", "enqueue --private-redis none --tasks {n}"),
    ("latency", "latency --private-redis none"),
    ("delayed", "delayed --private-redis none"),
    ("half", "open-loop --private-redis none --percent 50"),
    ("over", "open-loop --private-redis none --percent 110"),
    ("few", "drain --private-redis none --tasks 10000"),
    ("far", "drain --private-redis none --tasks {n} --delay-ms 1"),
    ("tls", "drain --private-redis none --tasks {n} --delay-ms 0.5 --tls"),
    ("held", "held --private-redis none"),
    ("everysec", "drain --private-redis everysec --tasks {n}"),
    ("always", "drain --private-redis always --tasks {n}"),
    ("enqueue everysec", "enqueue --private-redis everysec --tasks {n}"),
    ("enqueue always", "enqueue --private-redis always --tasks {n}"),
    ("memory", "drain --queue memory: --tasks {n}"),
    ("enqueue memory", "enqueue --queue memory: --tasks {n}"),
];

/// What takes long, or whose figures differ little from one time to the next: once is enough.
pub(super) const ONCE: &[(&str, &str)] = &[
    ("idle", "idle --private-redis none"),
    ("thousand", "idle --private-redis none --workers 1000"),
    ("many", "drain --private-redis none --tasks 1000000"),
    ("bound", "bound --private-redis none"),
    ("fresh", "bound --private-redis none --tasks 15000"),
    ("soak", "soak --private-redis none"),
];

pub(super) const GOALS: &[Goal] = &[
    goal(
        1,
        "drain, of the limit",
        Ratio(("drain", "tasks_per_s"), ("limit", "tasks_per_s")),
        Least(0.55),
        "×",
    ),
    goal(1, "drain", Of("drain", "tasks_per_s"), Bound::None, "/s"),
    goal(1, "the limit", Of("limit", "tasks_per_s"), Bound::None, "/s"),
    goal(
        2,
        "Redis CPU of a life, of the limit's",
        Ratio(("drain", "redis_cpu_us_per_task"), ("limit", "redis_cpu_us_per_task")),
        Most(2.3),
        "×",
    ),
    goal(2, "Redis CPU of a life", Of("drain", "redis_cpu_us_per_task"), Bound::None, "µs"),
    goal(2, "worker CPU of a task", Of("drain", "worker_cpu_us_per_task"), Bound::None, "µs"),
    goal(2, "round trips a task at depth", Of("drain", "round_trips_per_task"), Most(0.1), ""),
    goal(
        2,
        "round trips a task, one at a time, under backlog",
        Of("one", "round_trips_per_task"),
        Most(1.05),
        "",
    ),
    goal(2, "scripts a task, in an idle system", Of("latency", "worker_scripts_per_task"), Most(2.05), ""),
    goal(
        2,
        "round trips a task, in an idle system: and what wakes it",
        Of("latency", "worker_calls_per_task"),
        Bound::None,
        "",
    ),
    goal(
        3,
        "an enqueue, of a PING",
        Ratio(("enqueue", "p50_ms"), ("enqueue", "ping_p50_ms")),
        Most(1.2),
        "×",
    ),
    goal(
        3,
        "64 callers, of one",
        Ratio(("enqueue", "callers_per_s"), ("enqueue", "one_at_a_time_per_s")),
        Least(10.0),
        "×",
    ),
    goal(3, "enqueue_many", Of("enqueue", "tasks_per_s"), Least(150_000.0), "/s"),
    goal(
        4,
        "start, of a PING after the same rest (p50)",
        Ratio(("latency", "p50_ms"), ("latency", "ping_after_rest_p50_ms")),
        Most(3.0),
        "×",
    ),
    goal(
        4,
        "start, of one of many PINGs in a row (p50)",
        Ratio(("latency", "p50_ms"), ("latency", "ping_p50_ms")),
        Bound::None,
        "×",
    ),
    goal(4, "start (p99)", Of("latency", "p99_ms"), Most(2.0), "ms"),
    goal(
        4,
        "result after the end, of a PING after the same rest (p50)",
        Ratio(("latency", "result_p50_ms"), ("latency", "ping_after_rest_p50_ms")),
        Most(2.0),
        "×",
    ),
    goal(4, "delayed tasks, late (p99)", Of("delayed", "p99_ms"), Most(5.0), "ms"),
    goal(4, "commands of an idle worker", Of("idle", "commands_per_s_per_worker"), Most(1.0), "/s"),
    goal(4, "CPU of an idle worker", Of("idle", "worker_cpu_percent"), Most(0.1), "%"),
    goal(5, "start at half the drain rate (p50)", Of("half", "p50_ms"), Most(2.0), "ms"),
    goal(5, "start at half the drain rate (p99)", Of("half", "p99_ms"), Most(10.0), "ms"),
    goal(
        5,
        "the same, in 50 ms of it (p99, the middle one)",
        Of("half", "p99_of_a_slot_ms"),
        Bound::None,
        "ms",
    ),
    goal(5, "what needs no time is so late then (p99)", Of("half", "machine_late_p99_ms"), Bound::None, "ms"),
    goal(
        5,
        "rate at 110 %, of the drain rate",
        Ratio(("over", "tasks_per_s"), ("over", "drain_per_s")),
        Least(0.9),
        "×",
    ),
    goal(5, "the last 1 % of a drain, of its share", Of("drain", "last_percent"), Most(1.0), "×"),
    goal(5, "the last 1 % of a drain of 1,000,000, of its share", Of("many", "last_percent"), Most(1.0), "×"),
    goal(
        6,
        "drain of 1,000,000, of 10,000",
        Ratio(("many", "tasks_per_s"), ("few", "tasks_per_s")),
        Least(0.9),
        "×",
    ),
    goal(6, "Redis CPU of 1,000 idle workers", Of("thousand", "redis_cpu_percent"), Most(5.0), "%"),
    goal(6, "longest call, 1,000,000 due", Of("bound", "longest_ms_due"), Most(5.0), "ms"),
    goal(
        6,
        "first touch of memory left alone as long as theirs",
        Of("bound", "first_touch_us"),
        Bound::None,
        "µs",
    ),
    goal(6, "longest call, 15,000 due a second later", Of("fresh", "longest_ms_due"), Most(5.0), "ms"),
    goal(
        6,
        "first touch of memory left alone for a second",
        Of("fresh", "first_touch_us"),
        Bound::None,
        "µs",
    ),
    goal(6, "longest call, 1,000,000 results end", Of("bound", "longest_ms_expiring"), Most(5.0), "ms"),
    goal(6, "longest call, a worker with 10,000 dies", Of("bound", "longest_ms_dying"), Most(5.0), "ms"),
    goal(7, "a pending task in Redis", Of("drain", "bytes_per_pending"), Most(350.0), "bytes"),
    goal(7, "a finished task in Redis", Of("drain", "bytes_per_finished"), Most(350.0), "bytes"),
    goal(7, "RSS of an idle worker", Of("idle", "worker_rss_bytes"), Most(12e6), "bytes"),
    goal(7, "RSS of a claimed task", Of("held", "worker_rss_bytes_per_held"), Most(2048.0), "bytes"),
    goal(
        7,
        "worker's RSS in ten minutes, late by early",
        Of("soak", "worker_rss_bytes_growth"),
        Most(1.05),
        "×",
    ),
    goal(
        7,
        "Redis' memory in ten minutes, late by early",
        Of("soak", "redis_memory_bytes_growth"),
        Most(1.05),
        "×",
    ),
    goal(
        8,
        "drain with 2 ms more a round trip, of loopback",
        Ratio(("far", "tasks_per_s"), ("drain", "tasks_per_s")),
        Least(0.8),
        "×",
    ),
    goal(8, "drain with 1 ms more a round trip and TLS", Of("tls", "tasks_per_s"), Least(60_000.0), "/s"),
    goal(9, "syncs of the disk, one after the other", Of("always", "fsyncs_per_s"), Bound::None, "/s"),
    goal(9, "drain, no AOF", Of("drain", "tasks_per_s"), Bound::None, "/s"),
    goal(9, "drain, AOF everysec", Of("everysec", "tasks_per_s"), Bound::None, "/s"),
    goal(9, "drain, AOF always", Of("always", "tasks_per_s"), Bound::None, "/s"),
    goal(9, "one enqueue at a time, no AOF", Of("enqueue", "one_at_a_time_per_s"), Bound::None, "/s"),
    goal(
        9,
        "one enqueue at a time, AOF everysec",
        Of("enqueue everysec", "one_at_a_time_per_s"),
        Bound::None,
        "/s",
    ),
    goal(
        9,
        "one enqueue at a time, AOF always",
        Of("enqueue always", "one_at_a_time_per_s"),
        Bound::None,
        "/s",
    ),
    goal(9, "64 callers, no AOF", Of("enqueue", "callers_per_s"), Bound::None, "/s"),
    goal(9, "64 callers, AOF everysec", Of("enqueue everysec", "callers_per_s"), Bound::None, "/s"),
    goal(9, "64 callers, AOF always", Of("enqueue always", "callers_per_s"), Bound::None, "/s"),
    goal(9, "enqueue_many, AOF everysec", Of("enqueue everysec", "tasks_per_s"), Bound::None, "/s"),
    goal(9, "enqueue_many, AOF always", Of("enqueue always", "tasks_per_s"), Bound::None, "/s"),
    goal(10, "memory queue, drain", Of("memory", "tasks_per_s"), Least(500_000.0), "/s"),
    goal(10, "memory queue, enqueue_many", Of("enqueue memory", "tasks_per_s"), Bound::None, "/s"),
];

const fn goal(number: u8, what: &'static str, figure: Figure, bound: Bound, unit: &'static str) -> Goal {
    Goal { number, what, figure, bound, unit }
}

impl Figure {
    /// The runs that it needs.
    pub(super) fn runs(&self) -> Vec<&'static str> {
        match self {
            Of(run, _) => vec![run],
            Ratio((of, _), (by, _)) => vec![of, by],
        }
    }

    /// `None` while one of them is missing.
    pub(super) fn of(&self, reports: &Reports) -> Option<f64> {
        let figure = |(run, name): &(&str, &str)| reports.get(run)?.get(name)?.as_f64();
        match self {
            Of(run, name) => figure(&(run, name)),
            Ratio(of, by) => Some(figure(of)? / figure(by)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_is_of_runs_that_are_made() {
        let made: Vec<&str> = RUNS.iter().chain(ONCE).map(|(name, _)| *name).collect();
        for Goal { what, figure, .. } in GOALS {
            assert!(figure.runs().iter().all(|run| made.contains(run)), "{what}");
        }
    }

    #[test]
    fn a_figure_is_a_ratio_of_one_round_and_none_while_half_of_it_is_missing() {
        let report = |rate: f64| serde_json::json!({ "tasks_per_s": rate });
        let mut reports = Reports::from([("drain", report(60.0))]);
        assert_eq!(GOALS[0].figure.of(&reports), None);
        reports.insert("limit", report(100.0));
        assert_eq!(GOALS[0].figure.of(&reports), Some(0.6));
        assert_eq!(Of("drain", "p50_ms").of(&reports), None);
    }
}
