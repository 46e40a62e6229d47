//! docs/monitoring.md speaks of the metrics that there are.

use task_monitor::{METRICS, MetricKind};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/monitoring.md")).unwrap()
}

/// As `/metrics` writes them.
fn names() -> Vec<String> {
    let written = METRICS.iter().map(|metric| match metric.kind {
        MetricKind::Counter => format!("{}_total", metric.name),
        _ => metric.name.to_owned(),
    });
    written.collect()
}

#[test]
fn the_page_says_of_every_metric_what_to_do_when_it_moves() {
    let page = page();
    let (_, table) = page.split_once("| metric | when it moves | what to do |\n|---|---|---|\n").unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| `"));
    let listed: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    assert_eq!(listed, names());
}

/// An alert on a metric that was renamed never fires, and nobody notices.
#[test]
fn the_alerts_are_on_metrics_that_there_are() {
    let page = page();
    let (_, alerts) = page.split_once("```yaml\n").unwrap();
    let (alerts, _) = alerts.split_once("```").unwrap();
    let words = alerts.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let used: Vec<&str> = words.filter(|word| word.starts_with("task_")).collect();
    assert!(used.len() >= 7, "{used:?}");
    for metric in used {
        assert!(names().iter().any(|name| name == metric), "there is no `{metric}`");
    }
}
