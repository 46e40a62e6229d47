//! A backend that lost writes knows of claims whose tasks have long ended: what their worker does not hold, by the word of
//! its heartbeat, is given back. To a backend it looks as if the worker had never said how the attempt ended.

use std::collections::HashSet;

use task_core::{Capability, FailureKind, Holds, SettleAnswer, TaskStatus};

use crate::{Harness, stage::*};

/// After a failover that lost its end, a task stayed RUNNING until its worker was restarted.
pub async fn what_a_worker_holds_no_more_is_given_back_at_its_next_beat_and_counts_a_crash<H: Harness>(
    h: &H,
) {
    h.send(["a", "b", "c"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let first = worker.claim(2).await;
    let last = worker.claim_one().await;
    worker.beat().await;
    assert_eq!(h.status("a").await, TaskStatus::Running, "a beat that says nothing of it takes nothing");
    worker.beat_holding(1, &[&first[1]]).await;
    let lost = h.record("a").await;
    assert_eq!((lost.status, lost.crashes, lost.releases), (TaskStatus::Pending, 1, 0));
    assert_eq!(h.status("b").await, TaskStatus::Running, "it is held");
    assert_eq!(h.status("c").await, TaskStatus::Running, "its claim is not spoken of");
    assert_eq!(worker.complete(&first[0]).await, SettleAnswer::Stale);
    assert_eq!(worker.complete(&first[1]).await, SettleAnswer::Done);
    assert_eq!(worker.complete(&last).await, SettleAnswer::Done);
    let again = h.sim("heir").claim_one().await;
    assert_eq!((again.id(), again.record.attempts), (&id("a"), 2));
    if !h.lacks(Capability::Stats).await {
        let totals = h.stats().await.totals;
        assert_eq!((totals.recovered_lost, totals.recovered_released, totals.recovered_lease), (1, 0, 0));
    }
}

/// It may have waited in the socket of a server that stood still.
pub async fn a_beat_that_arrives_late_takes_nothing_that_was_claimed_since<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    worker.claim_one().await;
    worker.beat_holding(1, &[]).await;
    let again = worker.claim_one().await;
    for _ in 0..2 {
        worker.beat_holding(1, &[]).await;
    }
    assert_eq!(worker.complete(&again).await, SettleAnswer::Done);
    assert_eq!(h.record("a").await.crashes, 1);
}

/// The answer to one claim may arrive before that to an earlier one.
pub async fn of_a_claim_that_a_beat_leaves_out_nothing_is_taken<H: Harness>(h: &H) {
    h.send(["a", "b", "c"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    for _ in 0..3 {
        worker.claim_one().await;
    }
    let mut holds = Holds::new(3, vec![(3, id("c"))]);
    holds.except = vec![1];
    worker.beat_saying(holds.clone()).await;
    for (id, status) in [("a", TaskStatus::Running), ("b", TaskStatus::Pending), ("c", TaskStatus::Running)] {
        assert_eq!(h.status(id).await, status, "{id}");
    }
    holds.except.clear();
    worker.beat_saying(holds).await;
    assert_eq!(h.status("a").await, TaskStatus::Pending);
}

/// What became of the attempt is not known: a task that is to run at most once does not run again.
pub async fn what_is_held_no_more_ends_as_the_task_of_a_dead_worker_would<H: Harness>(h: &H) {
    h.send(vec![task("once", options().max_crashes(0)), task("asked", options())]).await;
    let mut worker = h.sim("w");
    worker.claim(2).await;
    let cancels = !h.lacks(Capability::Cancel).await;
    if cancels {
        h.cancel("asked").await;
    }
    let reply = worker.beat_holding(1, &[]).await;
    assert_eq!(reply.cancel, [], "nobody is to be told");
    let record = h.record("once").await;
    let kind = record.error.map(|error| error.kind);
    assert_eq!((record.status, kind), (TaskStatus::Failed, Some(FailureKind::Crashed)));
    let expected = if cancels { TaskStatus::Cancelled } else { TaskStatus::Pending };
    assert_eq!(h.status("asked").await, expected);
}

pub async fn what_is_held_no_more_comes_back_in_its_order_however_much_it_is<H: Harness>(h: &H) {
    const TASKS: usize = 700;
    let all: Vec<String> = (0..TASKS).map(|n| format!("t{n}")).collect();
    h.send(all.iter().map(|id| task(id, options())).collect()).await;
    let mut worker = h.sim("w");
    let mut held = Vec::new();
    while held.len() < TASKS {
        let claimed = worker.claim(90).await;
        assert!(!claimed.is_empty(), "{} of {TASKS} tasks are given out, and no more", held.len());
        held.extend(claimed);
    }
    let kept = [&held[3], &held[TASKS - 1]];
    for _ in 0..100 {
        worker.beat_holding(worker.number, &kept).await;
        if h.sim("other").claim(0).await.is_empty() && h.status("t0").await == TaskStatus::Pending {
            break;
        }
    }
    let (mut heir, mut given) = (h.sim("heir"), Vec::new());
    while let claimed = heir.claim(TASKS).await
        && !claimed.is_empty()
    {
        given.extend(ids(&claimed));
    }
    let kept: HashSet<String> = ids(kept).into_iter().collect();
    let expected: Vec<&String> = all.iter().filter(|id| !kept.contains(*id)).collect();
    assert_eq!(given.iter().collect::<Vec<_>>(), expected);
}

/// A worker that is taken to hold a suspect gets nothing beside it.
pub async fn a_suspect_that_is_held_no_more_stands_in_no_others_way<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await {
        return;
    }
    h.suspect("poison").await;
    let mut worker = h.sim("w");
    assert_eq!(ids(&worker.claim(1).await), ["poison"]);
    h.put("a", options()).await;
    worker.beat_holding(1, &[]).await;
    worker.idle = false;
    assert_eq!(ids(&worker.claim(9).await), ["a"]);
    assert_eq!(ids(&h.sim("other").claim(9).await), ["poison"]);
}

pub async fn a_claim_that_waits_is_woken_by_what_another_worker_holds_no_more<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let (mut other, mut worker) = (h.sim("other"), h.sim("w"));
    other.claim_one().await;
    let beat = async || drop(other.beat_holding(1, &[]).await);
    assert_eq!(super::waiting::woken_by(h, worker.next_claim(1), beat).await, ["a"]);
}
