use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::Command;

use crate::cli;

/// A goal: what is measured, by which run, and what it has to be.
struct Goal {
    number: u8,
    what: &'static str,
    figure: Figure,
    /// The least or the most that it may be.
    bound: Bound,
    unit: &'static str,
}

/// What is taken out of the reports of a round.
enum Figure {
    Of(&'static str, &'static str),
    /// The first by the second.
    Ratio((&'static str, &'static str), (&'static str, &'static str)),
}

enum Bound {
    Least(f64),
    Most(f64),
    /// Shown for comparison alone.
    None,
}

use Bound::{Least, Most};
use Figure::{Of, Ratio};

/// The runs of a round, by the names that the goals call them; `{n}` stands for the number of tasks.
const RUNS: &[(&str, &str)] = &[
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
    ("everysec", "drain --private-redis everysec --tasks {n}"),
    ("always", "drain --private-redis always --tasks {n}"),
    ("enqueue everysec", "enqueue --private-redis everysec --tasks {n}"),
    ("enqueue always", "enqueue --private-redis always --tasks 20000"),
    ("memory", "drain --queue memory: --tasks {n}"),
    ("enqueue memory", "enqueue --queue memory: --tasks {n}"),
];

/// What takes long, or whose figures differ little from one time to the next: once is enough.
const ONCE: &[(&str, &str)] = &[
    ("idle", "idle --private-redis none"),
    ("thousand", "idle --private-redis none --workers 1000"),
    ("many", "drain --private-redis none --tasks 1000000"),
    ("bound", "bound --private-redis none"),
    ("soak", "soak --private-redis none"),
];

const GOALS: &[Goal] = &[
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
        "start, of a PING (p50)",
        Ratio(("latency", "p50_ms"), ("latency", "ping_p50_ms")),
        Most(3.0),
        "×",
    ),
    goal(4, "start (p99)", Of("latency", "p99_ms"), Most(2.0), "ms"),
    goal(
        4,
        "result after the end, of a PING (p50)",
        Ratio(("latency", "result_p50_ms"), ("latency", "ping_p50_ms")),
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
        "rate at 110 %, of the drain rate",
        Ratio(("over", "tasks_per_s"), ("over", "drain_per_s")),
        Least(0.9),
        "×",
    ),
    goal(
        6,
        "drain of 1,000,000, of 10,000",
        Ratio(("many", "tasks_per_s"), ("few", "tasks_per_s")),
        Least(0.9),
        "×",
    ),
    goal(6, "Redis CPU of 1,000 idle workers", Of("thousand", "redis_cpu_percent"), Most(5.0), "%"),
    goal(6, "longest call, 1,000,000 due", Of("bound", "longest_ms_due"), Most(5.0), "ms"),
    goal(6, "longest call, 1,000,000 results end", Of("bound", "longest_ms_expiring"), Most(5.0), "ms"),
    goal(6, "longest call, a worker with 10,000 dies", Of("bound", "longest_ms_dying"), Most(5.0), "ms"),
    goal(7, "a pending task in Redis", Of("drain", "bytes_per_pending"), Most(350.0), "bytes"),
    goal(7, "a finished task in Redis", Of("drain", "bytes_per_finished"), Most(350.0), "bytes"),
    goal(7, "RSS of an idle worker", Of("idle", "worker_rss_bytes"), Most(12e6), "bytes"),
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
    goal(9, "drain, AOF everysec", Of("everysec", "tasks_per_s"), Bound::None, "/s"),
    goal(9, "drain, AOF always", Of("always", "tasks_per_s"), Bound::None, "/s"),
    goal(9, "64 callers, AOF everysec", Of("enqueue everysec", "callers_per_s"), Bound::None, "/s"),
    goal(9, "64 callers, AOF always", Of("enqueue always", "callers_per_s"), Bound::None, "/s"),
    goal(10, "memory queue, drain", Of("memory", "tasks_per_s"), Least(500_000.0), "/s"),
    goal(10, "memory queue, enqueue_many", Of("enqueue memory", "tasks_per_s"), Bound::None, "/s"),
];

const fn goal(number: u8, what: &'static str, figure: Figure, bound: Bound, unit: &'static str) -> Goal {
    Goal { number, what, figure, bound, unit }
}

/// Every run in turn, as often as there are rounds, and a table of the goals: medians, and from the least to the most.
pub(crate) async fn run(run: &cli::Goals) -> anyhow::Result<()> {
    let mut rounds: Vec<BTreeMap<&str, Value>> = Vec::new();
    for round in 0..run.rounds {
        let mut reports = BTreeMap::new();
        let once = if round == 0 && !run.short { ONCE } else { &[] };
        for (name, args) in RUNS.iter().chain(once) {
            eprintln!("round {} of {}: {name}", round + 1, run.rounds);
            reports.insert(*name, report(&args.replace("{n}", &run.tasks.to_string())).await?);
        }
        rounds.push(reports);
    }
    println!("| goal | what | is to be | is (from – to) | |\n|---|---|---|---|---|");
    for goal in GOALS {
        let mut values: Vec<f64> = rounds.iter().filter_map(|reports| goal.figure.of(reports)).collect();
        values.sort_by(f64::total_cmp);
        let Some(median) = values.get(values.len() / 2) else { continue };
        let (least, most) = (values[0], values[values.len() - 1]);
        let (to_be, verdict) = match goal.bound {
            Least(bound) => {
                (format!("≥ {}", shown(bound)), if *median >= bound { "met" } else { "**missed**" })
            }
            Most(bound) => {
                (format!("≤ {}", shown(bound)), if *median <= bound { "met" } else { "**missed**" })
            }
            Bound::None => (String::new(), ""),
        };
        let Goal { number, what, unit, .. } = goal;
        let range =
            if values.len() > 1 { format!(" ({} – {})", shown(least), shown(most)) } else { String::new() };
        println!("| {number} | {what} | {to_be} | {} {unit}{range} | {verdict} |", shown(*median));
    }
    Ok(())
}

/// What a run of this program reports; that it was exact is its exit code.
async fn report(args: &str) -> anyhow::Result<Value> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(args.split(' ')).arg("--json").kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "`task-bench {args}` ended with {}: {said}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("the report of `task-bench {args}`"))
}

impl Figure {
    fn of(&self, reports: &BTreeMap<&str, Value>) -> Option<f64> {
        let figure = |(run, name): &(&str, &str)| reports.get(run)?.get(name)?.as_f64();
        match self {
            Of(run, name) => figure(&(run, name)),
            Ratio(of, by) => Some(figure(of)? / figure(by)?),
        }
    }
}

/// Three digits are more than a noisy machine gives.
fn shown(value: f64) -> String {
    if value >= 1000.0 {
        let thousands = (value / 1000.0).round() as u64;
        return if thousands >= 1000 {
            format!("{:.1} million", value / 1e6)
        } else {
            format!("{thousands},000")
        };
    }
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_goal_is_of_runs_that_are_made() {
        let made: Vec<&str> = RUNS.iter().chain(ONCE).map(|(name, _)| *name).collect();
        for Goal { what, figure, .. } in GOALS {
            let runs = match figure {
                Of(run, _) => vec![*run],
                Ratio((of, _), (by, _)) => vec![*of, *by],
            };
            assert!(runs.iter().all(|run| made.contains(run)), "{what}");
        }
    }

    #[test]
    fn a_figure_is_a_ratio_of_one_round() {
        let report = |rate: f64| serde_json::json!({ "tasks_per_s": rate });
        let reports = BTreeMap::from([("drain", report(60.0)), ("limit", report(100.0))]);
        assert_eq!(GOALS[0].figure.of(&reports), Some(0.6));
        assert_eq!(Of("drain", "p50_ms").of(&reports), None);
        let texts = [0.6, 123.4, 41_266.0, 12e6].map(shown);
        assert_eq!(texts, ["0.60", "123", "41,000", "12.0 million"]);
    }
}
