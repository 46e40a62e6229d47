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
        "last_percent",
    ];
    run("drain --tasks 500 --workers 2", REDIS, &costs);
}

#[test]
fn a_drain_is_exact_over_tls_with_a_delay_and_told_beside_the_syncs_of_its_disk() {
    let far = "drain --tasks 100 --tls --delay-ms 0.5";
    run(far, &["--private-redis", "always"], &["tasks_per_s", "fsyncs_per_s", "redis_cpu_us_per_task"]);
}

#[test]
fn held_tasks_are_exact_and_take_memory() {
    run("held --tasks 200 --seconds 5", REDIS, &["worker_rss_bytes", "worker_rss_bytes_per_held"]);
}

#[test]
fn goals_are_told_row_by_row_and_every_report_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let reports = folder.path().join("reports");
    let mut command = Command::new(env!("CARGO_BIN_EXE_task-bench"));
    command.args("goals --rounds 2 --short --tasks 1000 --goal 8 --reports".split(' ')).arg(&reports);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("round 2 of 2, run 3 of 3: tls"), "{said}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.matches("| 8 | drain with 1 ms more a round trip and TLS |").count(), 3, "{table}");
    let kept = std::fs::read_to_string(reports).unwrap();
    let kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept.len(), 6, "drain, far and tls, twice");
    assert!(kept.iter().all(|line| line["report"]["lost"] == 0), "{kept:?}");
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
    let more = ["ping_p50_ms", "ping_after_rest_p50_ms", "worker_scripts_per_task", "worker_calls_per_task"];
    run("latency --tasks 20", REDIS, &[&["p50_ms", "p99_ms", "result_p50_ms"], &more[..]].concat());
}

#[test]
fn the_open_loop_is_exact_at_a_rate_and_at_a_part_of_what_drains() {
    run("open-loop --tasks 200 --rate 500", MEMORY, &["p50_ms", "p99_ms", "p99_of_a_slot_ms", "tail_ms"]);
    let late = ["p50_ms", "p99_ms", "drain_per_s", "sent_late_p99_ms", "machine_late_p99_ms"];
    run("open-loop --tasks 200 --percent 50 --workers 2", REDIS, &late);
}

#[test]
fn delayed_tasks_are_exact_and_never_early() {
    run("delayed --tasks 20 --waiting 100 --seconds 2", MEMORY, &["p50_ms", "p99_ms", "earliest_ms"]);
    run("delayed --tasks 20 --waiting 100 --seconds 2", REDIS, &["p50_ms", "p99_ms", "earliest_ms"]);
}

#[test]
fn soak_and_idle_are_exact() {
    run(
        "soak --seconds 8 --settle 0 --rate 50",
        REDIS,
        &["worker_rss_bytes_growth", "redis_memory_bytes_growth"],
    );
    run("idle --seconds 1", REDIS, &["commands_per_s_per_worker", "worker_rss_bytes"]);
}

#[test]
fn the_limit_is_measured_and_there_is_none_of_memory() {
    run("limit --tasks 500", REDIS, &["tasks_per_s", "redis_cpu_us_per_task"]);
    refused("limit --queue memory:", "--private-redis");
}

/// It went without the delay, and told the figures of a network that was not there.
#[test]
fn a_delay_before_a_server_of_somebody_else_is_refused() {
    refused("drain --queue memory: --tasks 1 --delay-ms 1", "--delay-ms and --tls are of a private Redis");
    refused("drain --queue memory: --tasks 1 --tls", "leave them out to measure memory:");
}

fn refused(args: &str, why: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_task-bench"));
    let output = command.args(args.split(' ')).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(why), "{said}");
}
