//! What the backend's clock brings: delays, retries, expiry, retention; and the order and keys of what waits.

use std::time::Duration;

use task_core::{
    CancelAnswer, Capability, Command, ControlAnswer, Enqueued, FailureKind, Outcome, Queue as _, TaskStatus,
};

use crate::{
    Harness,
    sim::{failed, retry, skipped},
    stage::*,
};

pub async fn the_highest_priority_goes_first<H: Harness>(h: &H) {
    if h.lacks(Capability::Priorities).await {
        return;
    }
    for (id, priority) in [("low", 10), ("mid", 50), ("top", 100), ("mid2", 50), ("none", 0)] {
        h.put(id, options().priority(priority)).await;
    }
    assert_eq!(ids(&h.sim("w").claim(9).await), ["top", "mid", "mid2", "low", "none"]);
}

pub async fn a_delayed_task_starts_when_its_time_has_come<H: Harness>(h: &H) {
    if h.lacks(Capability::Delays).await {
        return;
    }
    h.put("late", options().delay(secs(120))).await;
    h.put("early", options().delay(secs(60))).await;
    assert!(h.record("late").await.due_at.is_some());
    assert_eq!(h.sim("w").claim(9).await.len(), 0);
    h.advance(secs(90)).await;
    assert_eq!(ids(&h.sim("w").claim(9).await), ["early"]);
    h.advance(secs(60)).await;
    assert_eq!(h.sim("w").claim(9).await.iter().filter(|d| *d.id() == id("late")).count(), 1);
}

/// A retry after `Duration::MAX`, which a task may ask for, wrote a time that no reader could read; and a wait that long
/// ended the process of who waited.
pub async fn times_longer_than_any_clock_counts_to_overflow_nothing<H: Harness>(h: &H) {
    for id in ["a", "b"] {
        h.put(id, options()).await;
    }
    let mut worker = h.sim("w").lease(Duration::MAX);
    let mut claim = worker.next_claim(2);
    claim.wait = Duration::MAX;
    let held = h.queue().dequeue(claim).await.expect("a claim is answered").tasks;
    assert_eq!(ids(&held), ["a", "b"]);
    worker.settle(&held[0], retry(Duration::MAX)).await;
    let record = h.record("a").await;
    assert_eq!(record.status, TaskStatus::Retry);
    assert!(record.due_at.is_some_and(|due| due > record.enqueued_at + secs(3_000_000_000)), "{record:?}");
    worker.complete(&held[1]).await;
    let found = h.queue().wait(&QUEUE, &id("b"), Duration::MAX).await.expect("a wait is answered");
    assert!(found.into_found().is_some_and(|record| record.status == TaskStatus::Completed));
    if !h.lacks(Capability::Cancel).await {
        assert_eq!(h.cancel("a").await, CancelAnswer::Cancelled);
    }
}

pub async fn a_failed_attempt_is_tried_again_after_its_backoff<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w").lease(secs(3600));
    let held = worker.claim_one().await;
    worker.settle(&held, retry(secs(60))).await;
    let record = h.record("a").await;
    assert_eq!((record.status, record.failures, record.errors.len()), (TaskStatus::Retry, 1, 1));
    assert!(record.due_at.is_some());
    assert_eq!(worker.claim(1).await.len(), 0);
    h.advance(secs(90)).await;
    let again = worker.claim_one().await;
    assert_eq!((again.record.attempts, again.record.failures, again.record.errors.len()), (2, 1, 1));
    worker.settle(&again, failed()).await;
    let record = h.record("a").await;
    assert_eq!((record.status, record.failures, record.errors.len()), (TaskStatus::Failed, 2, 2));
}

pub async fn a_task_that_did_not_start_in_time_is_cancelled_as_expired<H: Harness>(h: &H) {
    if h.lacks(Capability::Expiry).await {
        return;
    }
    h.put("a", options().expires(secs(60))).await;
    h.advance(secs(90)).await;
    assert_eq!(h.sim("w").claim(9).await.len(), 0);
    let record = h.record("a").await;
    assert_eq!(record.status, TaskStatus::Cancelled);
    assert_eq!(record.error.map(|error| error.kind), Some(FailureKind::Expired));
}

/// Tasks that a worker without their code had touched stayed for ever.
pub async fn a_task_that_only_workers_without_its_name_had_expires<H: Harness>(h: &H) {
    if h.lacks(Capability::Expiry).await || h.lacks(Capability::UnknownNames).await {
        return;
    }
    h.put("a", options().expires(secs(60))).await;
    let mut worker = h.sim("w").lease(secs(3600));
    let held = worker.claim_one().await;
    worker.settle(&held, Outcome::NameUnknown).await;
    h.advance(secs(90)).await;
    h.housekeeping().await;
    assert_eq!(h.record("a").await.error.map(|error| error.kind), Some(FailureKind::Expired));
}

pub async fn a_task_that_has_started_in_time_does_not_expire<H: Harness>(h: &H) {
    if h.lacks(Capability::Expiry).await {
        return;
    }
    h.send(["a", "b", "c"].map(|id| task(id, options().expires(secs(60)))).to_vec()).await;
    let mut worker = h.sim("w").lease(secs(3600));
    let held = worker.claim(3).await;
    worker.settle(&held[0], Outcome::Released).await;
    worker.settle(&held[1], retry(secs(1))).await;
    h.advance(secs(90)).await;
    let mut again = ids(&worker.claim(9).await);
    again.sort();
    assert_eq!(again, ["a", "b"]);
    assert_eq!(h.status("c").await, TaskStatus::Running);
}

/// Who replays a task wants it to run, however late.
pub async fn a_replayed_task_starts_at_once_and_does_not_expire_again<H: Harness>(h: &H) {
    for needed in [Capability::Replay, Capability::Expiry, Capability::Delays] {
        if h.lacks(needed).await {
            return;
        }
    }
    h.put("a", options().delay(secs(60)).expires(secs(90))).await;
    h.advance(secs(120)).await;
    h.housekeeping().await;
    assert_eq!(h.status("a").await, TaskStatus::Cancelled);
    assert_eq!(h.control(Command::Replay(id("a"))).await, ControlAnswer::Done(1));
    h.advance(secs(10)).await;
    assert_eq!(ids(&h.sim("w").claim(9).await), ["a"]);
}

pub async fn a_unique_key_is_held_until_its_task_is_final_in_any_way<H: Harness>(h: &H) {
    if h.lacks(Capability::UniqueKeys).await {
        return;
    }
    let mut worker = h.sim("w");
    for (n, outcome) in [skipped(), failed(), crate::sim::completed(1)].into_iter().enumerate() {
        let (first, second) = (format!("first{n}"), format!("second{n}"));
        let unique = || options().unique("key");
        h.put(&first, unique()).await;
        let duplicate = [Enqueued::DuplicateOf(id(&first))];
        assert_eq!(h.send(vec![task(&second, unique())]).await, duplicate);
        let held = worker.claim_one().await;
        assert_eq!(h.send(vec![task(&second, unique())]).await, duplicate);
        worker.settle(&held, outcome).await;
        h.put(&second, unique()).await;
        let held = worker.claim_one().await;
        worker.complete(&held).await;
    }
}

pub async fn counts_agree_with_what_happened<H: Harness>(h: &H) {
    if h.lacks(Capability::Stats).await {
        return;
    }
    h.send((0..5).map(|n| task(&format!("t{n}"), options())).collect()).await;
    let mut worker = h.sim("w");
    let held = worker.claim(4).await;
    worker.complete(&held[0]).await;
    worker.settle(&held[1], failed()).await;
    worker.settle(&held[2], retry(secs(60))).await;
    let stats = h.stats().await;
    assert_eq!((stats.pending, stats.running, stats.retry), (1, 1, 1));
    assert_eq!((stats.completed, stats.failed, stats.totals.enqueued), (1, 1, 5));
    assert_eq!((stats.totals.completed, stats.totals.failed, stats.totals.retried), (1, 1, 1));
    assert!(stats.workers.iter().any(|info| info.incarnation == worker.worker && info.label == "w"));
}

/// What only a claim would sweep stays for ever in a queue that nobody claims from.
pub async fn what_has_expired_is_found_by_heartbeats_and_stats_even_while_the_queue_is_paused<H: Harness>(
    h: &H,
) {
    for needed in [Capability::Expiry, Capability::Pause, Capability::Stats] {
        if h.lacks(needed).await {
            return;
        }
    }
    h.control(Command::Pause).await;
    let worker = h.sim("w").lease(secs(3600));
    for found_by in ["beat", "stats"] {
        h.put(found_by, options().expires(secs(60))).await;
        h.advance(secs(90)).await;
        match found_by {
            "beat" => drop(worker.beat().await),
            _ => drop(h.stats().await),
        }
        let record = h.record(found_by).await;
        assert_eq!(record.error.map(|error| error.kind), Some(FailureKind::Expired), "by {found_by}");
    }
}
