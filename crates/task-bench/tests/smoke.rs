//! Each run, small, on both queues: it must end, be exact, and print the figures that it promises.

use std::process::Command;

use serde_json::Value;

const MEMORY: &[&str] = &["--queue", "memory:"];
const REDIS: &[&str] = &["--private-redis", "none"];
const EXACT: &[&str] = &["tasks", "lost", "duplicated"];

fn run(args: &str, queue: &[&str], promised: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_task-bench"));
    let output = command.args(args.split(' ')).args(queue).arg("--json").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args}: {said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for figure in EXACT.iter().chain(promised) {
        assert!(report[figure].is_number(), "{args} says nothing of {figure}: {report}");
    }
    assert_eq!((&report["lost"], &report["duplicated"]), (&0.into(), &0.into()), "{report}");
}

#[test]
fn drain_is_exact_and_says_what_a_task_costs() {
    run("drain --tasks 500", MEMORY, &["tasks_per_s"]);
    let costs = [
        "tasks_per_s",
        "redis_cpu_us_per_task",
        "round_trips_per_task",
        "bytes_per_pending",
        "bytes_per_finished",
        "worker_rss_bytes",
    ];
    run("drain --tasks 500 --workers 2", REDIS, &costs);
}

#[test]
fn enqueue_is_exact_by_each_way() {
    let rates = ["tasks_per_s", "callers_per_s", "one_at_a_time_per_s", "p50_ms", "p99_ms"];
    run("enqueue --tasks 200", MEMORY, &rates);
    run("enqueue --tasks 200", REDIS, &rates);
}

#[test]
fn latency_is_exact_and_told_beside_a_ping() {
    run("latency --tasks 20", MEMORY, &["p50_ms", "p99_ms", "result_p50_ms"]);
    run("latency --tasks 20", REDIS, &["p50_ms", "p99_ms", "result_p50_ms", "ping_p50_ms"]);
}

#[test]
fn the_open_loop_is_exact_at_a_rate_and_at_a_part_of_what_drains() {
    run("open-loop --tasks 200 --rate 500", MEMORY, &["p50_ms", "p99_ms", "tail_ms"]);
    run("open-loop --tasks 200 --percent 50 --workers 2", REDIS, &["p50_ms", "p99_ms", "drain_per_s"]);
}

#[test]
fn delayed_tasks_are_exact_and_never_early() {
    run("delayed --tasks 20 --waiting 100 --seconds 2", MEMORY, &["p50_ms", "p99_ms", "earliest_ms"]);
    run("delayed --tasks 20 --waiting 100 --seconds 2", REDIS, &["p50_ms", "p99_ms", "earliest_ms"]);
}

#[test]
fn soak_and_idle_are_exact() {
    run("soak --seconds 8 --rate 50", REDIS, &["worker_rss_bytes_growth", "redis_memory_bytes_growth"]);
    run("idle --seconds 1", REDIS, &["commands_per_s_per_worker", "worker_rss_bytes"]);
}

#[test]
fn the_limit_is_measured_and_there_is_none_of_memory() {
    run("limit --tasks 500", REDIS, &["tasks_per_s", "redis_cpu_us_per_task"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_task-bench"));
    let output = command.args(["limit", "--queue", "memory:"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--private-redis"));
}
