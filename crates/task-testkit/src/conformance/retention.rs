//! What is final ends: results by their time and by their number, ids ten minutes after their tasks.

use task_core::{Capability, Command, ControlAnswer, Enqueued, Lookup, Queue as _, TaskStatus};

use crate::{
    Harness,
    sim::{failed, skipped},
    stage::*,
};

const HOUR: u64 = 3600;

pub async fn a_result_ends_with_its_retention_and_its_id_is_remembered_for_ten_minutes<H: Harness>(h: &H) {
    if h.lacks(Capability::Retention).await {
        return;
    }
    h.put("a", options().retention(secs(60))).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.complete(&held).await;
    h.advance(secs(30)).await;
    assert_eq!(h.status("a").await, TaskStatus::Completed);
    h.advance(secs(60)).await;
    h.housekeeping().await;
    assert_eq!(h.lookup("a").await, Lookup::Expired);
    assert!(matches!(h.send(vec![task("a", options())]).await[..], [Enqueued::Exists { .. }]));
    h.advance(secs(600)).await;
    h.housekeeping().await;
    assert_eq!(h.lookup("a").await, Lookup::NotFound);
    h.put("a", options()).await;
}

/// Results that nobody dropped filled a server's memory in three days.
pub async fn a_failure_is_kept_for_a_week_and_any_other_end_for_a_day<H: Harness>(h: &H) {
    if h.lacks(Capability::Retention).await {
        return;
    }
    h.send(["completed", "failed", "skipped"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let held = worker.claim(3).await;
    worker.complete(&held[0]).await;
    worker.settle(&held[1], failed()).await;
    worker.settle(&held[2], skipped()).await;
    let mut all = vec!["completed", "failed", "skipped"];
    if !h.lacks(Capability::Cancel).await {
        h.put("cancelled", options()).await;
        h.cancel("cancelled").await;
        all.push("cancelled");
    }
    for (hours, kept) in [(23, all.as_slice()), (2, &["failed"]), (142, &["failed"]), (2, &[])] {
        h.advance(secs(hours * HOUR)).await;
        h.housekeeping().await;
        for id in &all {
            let found = h.lookup(id).await;
            assert_eq!(matches!(found, Lookup::Found(_)), kept.contains(id), "{id}: {found:?}");
        }
    }
}

pub async fn the_retention_of_a_task_holds_for_each_of_its_ends<H: Harness>(h: &H) {
    if h.lacks(Capability::Retention).await {
        return;
    }
    let long = || options().retention(secs(30 * 24 * HOUR));
    h.send(["completed", "failed"].map(|id| task(id, long())).to_vec()).await;
    let mut worker = h.sim("w");
    let held = worker.claim(2).await;
    worker.complete(&held[0]).await;
    worker.settle(&held[1], failed()).await;
    h.advance(secs(29 * 24 * HOUR)).await;
    h.housekeeping().await;
    assert_eq!(h.status("completed").await, TaskStatus::Completed);
    assert_eq!(h.status("failed").await, TaskStatus::Failed);
}

pub async fn over_the_cap_by_count_the_oldest_results_go_first_and_are_counted<H: Harness>(_: &H) {
    let Some(h) = H::capped(3, 100).await else { return };
    let mut worker = h.sim("w");
    for n in 0..5 {
        h.put(&format!("t{n}"), options()).await;
        let held = worker.claim_one().await;
        worker.complete(&held).await;
        h.advance(secs(1)).await; // so that each ends later than the one before
        worker.beat().await;
    }
    let stats = h.stats().await;
    assert_eq!((stats.completed, stats.totals.completed, stats.totals.dropped_results), (3, 5, 2));
    for n in 0..5 {
        let found = h.lookup(&format!("t{n}")).await;
        assert_eq!(matches!(found, Lookup::Found(_)), n >= 2, "t{n}: {found:?}");
    }
    let again = h.send(vec![task("t0", options())]).await;
    assert_eq!(again, [Enqueued::Exists { status: TaskStatus::Completed, same: true }], "it is remembered");
}

pub async fn a_failure_over_the_cap_keeps_its_status_and_can_not_be_replayed<H: Harness>(_: &H) {
    let Some(h) = H::capped(100, 2).await else { return };
    if h.lacks(Capability::Replay).await {
        return;
    }
    let mut worker = h.sim("w");
    for n in 0..3 {
        h.put(&format!("t{n}"), options()).await;
        let held = worker.claim_one().await;
        worker.settle(&held, failed()).await;
        h.advance(secs(1)).await;
        worker.beat().await;
    }
    h.stats().await;
    let record = h.record("t0").await;
    assert_eq!((record.status, record.errors.len()), (TaskStatus::Failed, 1));
    assert_eq!(h.control(Command::Replay(id("t0"))).await, ControlAnswer::ParamsDropped);
    assert_eq!(h.control(Command::Replay(id("t1"))).await, ControlAnswer::Done(1));
    if !h.lacks(Capability::Messages).await {
        let message = h.queue().message(&QUEUE, &id("t0")).await.expect("an answer");
        assert_eq!(message, None);
    }
}
