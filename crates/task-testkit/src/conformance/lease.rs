//! A worker that is dead gives its tasks back, and an outage is no death.

use std::collections::HashSet;

use task_core::{Capability, FailureKind, QueueError, SettleAnswer, TaskStatus};

use crate::{
    Harness,
    sim::{completed, failed},
    stage::*,
};

pub async fn the_tasks_of_a_worker_whose_lease_ended_run_elsewhere<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let (mut dead, mut heir) = (h.sim("dead"), h.sim("heir"));
    let lost = dead.claim_one().await;
    h.advance(LEASE_OVER).await;
    let held = heir.claim_one().await;
    assert_eq!((held.record.crashes, held.record.attempts, held.record.failures), (1, 2, 0));
    assert!(dead.beat().await.closed);
    assert!(matches!(dead.try_claim(1).await, Err(QueueError::Closed(_))));
    assert_eq!(dead.settle(&lost, completed(1)).await, SettleAnswer::Stale);
    assert_eq!(heir.complete(&held).await, SettleAnswer::Done);
}

pub async fn a_worker_that_beats_keeps_its_tasks_however_long_they_take<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let (mut worker, mut other) = (h.sim("w"), h.sim("other"));
    let held = worker.claim_one().await;
    for _ in 0..6 {
        h.advance(secs(5)).await;
        assert!(!worker.beat().await.closed);
        assert_eq!(other.claim(1).await.len(), 0);
    }
    assert_eq!(worker.complete(&held).await, SettleAnswer::Done);
    assert_eq!(h.record("a").await.crashes, 0);
}

pub async fn a_worker_whose_lease_ended_goes_on_under_its_next_generation<H: Harness>(h: &H) {
    let mut worker = h.sim("w");
    worker.claim(1).await;
    h.advance(LEASE_OVER).await;
    h.housekeeping().await;
    assert!(worker.beat().await.closed);
    worker.next_generation();
    h.put("a", options()).await;
    let held = worker.claim_one().await;
    assert_eq!(worker.complete(&held).await, SettleAnswer::Done);
}

/// After a restart of the server every live task was reaped and run twice.
pub async fn after_an_outage_live_workers_keep_what_they_hold<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let (mut worker, mut other) = (h.sim("w"), h.sim("other"));
    let held = worker.claim_one().await;
    h.outage(secs(600)).await;
    assert_eq!(other.claim(1).await.len(), 0, "nothing is reaped at once");
    assert!(!worker.beat().await.closed);
    assert_eq!(worker.complete(&held).await, SettleAnswer::Done);
    assert_eq!(h.record("a").await.crashes, 0);
}

pub async fn after_an_outage_a_worker_that_stays_away_is_dead<H: Harness>(h: &H) {
    h.put("a", options()).await;
    h.sim("dead").claim_one().await;
    h.outage(secs(600)).await;
    h.housekeeping().await;
    h.advance(LEASE_OVER + LEASE_OVER).await;
    assert_eq!(h.sim("heir").claim_one().await.record.crashes, 1);
}

pub async fn a_release_gives_back_at_once_and_closes_every_generation<H: Harness>(h: &H) {
    h.send(["a", "b", "c"].map(|id| task(id, options())).to_vec()).await;
    let (mut dead, mut heir) = (h.sim("dead"), h.sim("heir"));
    dead.claim(2).await;
    assert_eq!(dead.release().await, 2);
    assert_eq!(dead.release().await, 0, "it may be sent again");
    let mut given = ids(&heir.claim(9).await);
    given[..2].sort();
    assert_eq!(given, ["a", "b", "c"], "what is given back comes first");
    assert!(dead.beat().await.closed);
    dead.next_generation();
    assert!(dead.beat().await.closed);
    assert!(matches!(dead.try_claim(1).await, Err(QueueError::Closed(_))));
}

pub async fn a_release_of_a_worker_that_never_claimed_keeps_it_out<H: Harness>(h: &H) {
    let mut worker = h.sim("w");
    assert_eq!(worker.release().await, 0);
    h.put("a", options()).await;
    assert!(matches!(worker.try_claim(1).await, Err(QueueError::Closed(_))));
    assert_eq!(h.status("a").await, TaskStatus::Pending);
}

pub async fn a_task_whose_worker_dies_too_often_has_failed<H: Harness>(h: &H) {
    for (id, max_crashes) in [("once", 0), ("twice", 1)] {
        h.put(id, options().max_crashes(max_crashes)).await;
        for _ in 0..=max_crashes {
            let mut worker = h.sim("w");
            worker.claim_one().await;
            worker.release().await;
        }
        let record = h.record(id).await;
        assert_eq!((record.status, record.crashes), (TaskStatus::Failed, u32::from(max_crashes) + 1));
        assert_eq!(record.error.map(|error| error.kind), Some(FailureKind::Crashed));
        assert_eq!(record.failures, 0, "a crash is no failure");
    }
}

pub async fn a_task_whose_cancel_was_asked_for_is_cancelled_when_its_worker_dies<H: Harness>(h: &H) {
    if h.lacks(Capability::Cancel).await {
        return;
    }
    h.send(["released", "lease"].map(|id| task(id, options())).to_vec()).await;
    let (mut first, mut second) = (h.sim("w1"), h.sim("w2"));
    first.claim_one().await;
    second.claim_one().await;
    h.cancel("released").await;
    h.cancel("lease").await;
    first.release().await;
    h.advance(LEASE_OVER).await;
    h.housekeeping().await;
    for id in ["released", "lease"] {
        let record = h.record(id).await;
        assert_eq!((record.status, record.crashes), (TaskStatus::Cancelled, 1), "{id}");
        assert_eq!(record.error.map(|error| error.kind), Some(FailureKind::Cancelled), "{id}");
        assert!(!record.cancel_requested && record.finished_at.is_some(), "{id}");
    }
}

pub async fn a_failed_task_stays_failed_when_its_worker_dies<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.settle(&held, failed()).await;
    assert_eq!(worker.release().await, 0);
    assert_eq!(h.status("a").await, TaskStatus::Failed);
}

pub async fn a_release_gives_back_everything_however_much_it_is<H: Harness>(h: &H) {
    const TASKS: usize = 700;
    h.send((0..TASKS).map(|n| task(&format!("t{n}"), options())).collect()).await;
    let mut dead = h.sim("dead");
    let mut held = 0;
    while held < TASKS {
        let claimed = dead.claim(TASKS).await.len();
        assert!(claimed > 0, "{held} of {TASKS} tasks are given out, and no more");
        held += claimed;
    }
    dead.release().await;
    assert!(dead.beat().await.closed);
    let (mut heir, mut seen) = (h.sim("heir"), HashSet::new());
    for _ in 0..100 {
        let claimed = heir.claim(TASKS).await;
        assert!(claimed.iter().all(|delivery| delivery.record.crashes == 1));
        seen.extend(ids(&claimed));
        if seen.len() == TASKS {
            return;
        }
    }
    panic!("{} of {TASKS} tasks came back", seen.len());
}

/// They came back sorted by their ids.
pub async fn what_a_dead_worker_held_comes_back_in_the_order_in_which_it_was_given<H: Harness>(h: &H) {
    let order = ["c", "a", "d", "b", "e"];
    h.send(order.map(|id| task(id, options())).to_vec()).await;
    h.put("later", options()).await;
    let mut victim = h.sim("victim");
    for tasks in [2, 3] {
        victim.claim(tasks).await;
    }
    assert_eq!(victim.release().await, 5);
    let expected: Vec<&str> = order.into_iter().chain(["later"]).collect();
    assert_eq!(ids(&h.sim("w").claim(9).await), expected);
}
