//! Cancel, pause, replay, delete, purge, limit.

use task_core::{
    CancelAnswer, Capability, Command, ControlAnswer, Enqueued, FailureKind, Lookup, Outcome, Queue as _,
    SettleAnswer, TaskStatus,
};

use crate::{
    Harness,
    sim::{completed, failed, retry},
    stage::*,
};

pub async fn a_waiting_task_is_cancelled_at_once_and_never_runs<H: Harness>(h: &H) {
    if h.lacks(Capability::Cancel).await {
        return;
    }
    h.put("a", options()).await;
    let cancel = || async { h.queue().cancel(&QUEUE, &id("a")).await.expect("an answer") };
    assert_eq!(cancel().await, CancelAnswer::Cancelled);
    assert_eq!(cancel().await, CancelAnswer::AlreadyFinal(TaskStatus::Cancelled));
    assert_eq!(h.sim("w").claim(9).await.len(), 0);
    let record = h.record("a").await;
    assert_eq!(record.error.map(|error| error.kind), Some(FailureKind::Cancelled));
    assert!(record.finished_at.is_some());
    let nobody = h.queue().cancel(&QUEUE, &id("nobody")).await.expect("an answer");
    assert_eq!(nobody, CancelAnswer::NotFound);
}

pub async fn a_cancel_of_a_running_task_reaches_its_worker_and_wins_over_anything_but_a_value<H: Harness>(
    h: &H,
) {
    if h.lacks(Capability::Cancel).await {
        return;
    }
    for (name, outcome, status) in [
        ("value", completed(1), TaskStatus::Completed),
        ("retry", retry(secs(1)), TaskStatus::Cancelled),
        ("failed", failed(), TaskStatus::Cancelled),
    ] {
        h.put(name, options()).await;
        let mut worker = h.sim("w");
        let held = worker.claim_one().await;
        for _ in 0..2 {
            let answer = h.queue().cancel(&QUEUE, &id(name)).await.expect("an answer");
            assert_eq!(answer, CancelAnswer::Requested);
        }
        assert!(h.record(name).await.cancel_requested);
        for _ in 0..2 {
            assert_eq!(worker.beat().await.cancel, [(id(name), held.token)], "told until it has ended");
        }
        worker.settle(&held, outcome).await;
        assert_eq!(h.status(name).await, status);
        assert_eq!(worker.beat().await.cancel, []);
    }
}

pub async fn a_paused_queue_gives_nothing_out_until_it_is_resumed<H: Harness>(h: &H) {
    if h.lacks(Capability::Pause).await {
        return;
    }
    assert_eq!(h.control(Command::Pause).await, ControlAnswer::Done(0));
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let claimed = worker.try_claim(1).await.expect("an answer");
    assert!(claimed.paused && claimed.tasks.is_empty());
    assert_eq!(h.control(Command::Resume).await, ControlAnswer::Done(0));
    assert_eq!(ids(&worker.claim(1).await), ["a"]);
}

pub async fn a_replayed_task_runs_again_under_its_id_with_its_counts_reset<H: Harness>(h: &H) {
    if h.lacks(Capability::Replay).await {
        return;
    }
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    assert_eq!(h.control(Command::Replay(id("a"))).await, ControlAnswer::WrongStatus(TaskStatus::Pending));
    let held = worker.claim_one().await;
    worker.settle(&held, failed()).await;
    assert_eq!(h.control(Command::Replay(id("a"))).await, ControlAnswer::Done(1));
    let record = h.record("a").await;
    assert_eq!((record.status, record.generation), (TaskStatus::Pending, 1));
    assert_eq!((record.failures, record.crashes, record.attempts), (0, 0, 1));
    assert_eq!(record.errors.len(), 1, "its history is kept");
    let held = worker.claim_one().await;
    worker.complete(&held).await;
    assert_eq!(h.control(Command::Replay(id("a"))).await, ControlAnswer::WrongStatus(TaskStatus::Completed));
    assert_eq!(h.control(Command::Replay(id("nobody"))).await, ControlAnswer::NotFound);
}

pub async fn a_deleted_task_is_forgotten_with_its_id<H: Harness>(h: &H) {
    if h.lacks(Capability::Delete).await {
        return;
    }
    h.put("a", options()).await;
    assert_eq!(h.control(Command::Delete(id("a"))).await, ControlAnswer::WrongStatus(TaskStatus::Pending));
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.complete(&held).await;
    assert_eq!(h.control(Command::Delete(id("a"))).await, ControlAnswer::Done(1));
    assert_eq!(h.lookup("a").await, Lookup::NotFound);
    h.put("a", options()).await;
}

pub async fn a_purge_cancels_what_waits_and_leaves_what_runs<H: Harness>(h: &H) {
    if h.lacks(Capability::Purge).await {
        return;
    }
    h.send(["running", "retry", "waiting"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let held = worker.claim(2).await;
    worker.settle(&held[1], retry(secs(60))).await;
    assert_eq!(h.control(Command::Purge).await, ControlAnswer::Done(2));
    for (id, status) in [
        ("running", TaskStatus::Running),
        ("retry", TaskStatus::Cancelled),
        ("waiting", TaskStatus::Cancelled),
    ] {
        assert_eq!(h.status(id).await, status, "{id}");
    }
    let kind = h.record("waiting").await.error.map(|error| error.kind);
    assert_eq!(kind, Some(FailureKind::Purged));
    assert_eq!(worker.claim(9).await.len(), 0);
}

pub async fn a_queue_at_its_limit_takes_nothing_in_until_it_has_drained<H: Harness>(h: &H) {
    if h.lacks(Capability::Limit).await {
        return;
    }
    h.control(Command::Limit(Some(2))).await;
    let answers = h.send(["a", "b", "c"].map(|id| task(id, options())).to_vec()).await;
    assert_eq!(answers, [Enqueued::Queued, Enqueued::Queued, Enqueued::Full]);
    assert_eq!(h.lookup("c").await, Lookup::NotFound);
    h.sim("w").claim_one().await;
    h.put("c", options()).await;
    h.control(Command::Limit(None)).await;
    h.put("d", options()).await;
}

/// A transition that left a place out would run a cancelled task.
pub async fn a_task_is_cancelled_wherever_it_waits<H: Harness>(h: &H) {
    if h.lacks(Capability::Cancel).await {
        return;
    }
    let mut worker = h.sim("w").lease(secs(3600));
    let mut all = vec!["ready", "retry"];
    if !h.lacks(Capability::Suspects).await {
        h.suspect("suspect").await;
        assert_eq!(h.cancel("suspect").await, CancelAnswer::Cancelled);
        all.push("suspect");
    }
    h.put("retry", options()).await;
    let held = worker.claim_one().await;
    worker.settle(&held, retry(secs(60))).await;
    if !h.lacks(Capability::UnknownNames).await {
        h.put("unknown", options()).await;
        let held = worker.claim_one().await;
        worker.settle(&held, Outcome::NameUnknown).await;
        all.push("unknown");
    }
    if !h.lacks(Capability::Delays).await {
        h.put("delayed", options().delay(secs(60))).await;
        all.push("delayed");
    }
    h.put("ready", options()).await;
    for name in &all {
        if *name != "suspect" {
            assert_eq!(h.cancel(name).await, CancelAnswer::Cancelled, "{name}");
        }
    }
    h.advance(secs(90)).await;
    assert_eq!(ids(&h.sim("heir").claim(9).await), [] as [&str; 0]);
    for name in all {
        assert_eq!(h.status(name).await, TaskStatus::Cancelled, "{name}");
    }
}

/// The entry of a task that was cancelled stayed in the list, and ran the replayed task a second time, or early.
pub async fn a_task_that_was_cancelled_and_replayed_runs_once<H: Harness>(h: &H) {
    for needed in [Capability::Cancel, Capability::Replay, Capability::Delays] {
        if h.lacks(needed).await {
            return;
        }
    }
    h.put("ready", options()).await;
    h.put("delayed", options().delay(secs(60))).await;
    for id in ["ready", "delayed"] {
        assert_eq!(h.cancel(id).await, CancelAnswer::Cancelled);
        assert_eq!(h.control(Command::Replay(self::id(id))).await, ControlAnswer::Done(1));
    }
    let mut worker = h.sim("w").lease(secs(3600));
    let held = worker.claim(9).await;
    assert_eq!(ids(&held), ["ready", "delayed"]);
    worker.complete(&held[0]).await;
    worker.settle(&held[1], retry(secs(120))).await;
    h.advance(secs(90)).await;
    assert_eq!(ids(&worker.claim(9).await), [] as [&str; 0], "its first due time means nothing any more");
    h.advance(secs(60)).await;
    assert_eq!(ids(&worker.claim(9).await), ["delayed"]);
}

pub async fn a_pause_stops_claims_and_nothing_else<H: Harness>(h: &H) {
    if h.lacks(Capability::Pause).await {
        return;
    }
    h.send(["held", "lost"].map(|id| task(id, options())).to_vec()).await;
    let (mut worker, mut dead) = (h.sim("w").lease(secs(3600)), h.sim("dead"));
    let held = worker.claim_one().await;
    dead.claim_one().await;
    let delays = !h.lacks(Capability::Delays).await;
    if delays {
        h.put("late", options().delay(secs(30))).await;
    }
    h.control(Command::Pause).await;
    h.put("new", options()).await;
    h.advance(secs(60)).await;
    assert!(!worker.beat().await.closed);
    let lost = h.record("lost").await;
    assert_eq!((lost.status, lost.crashes), (TaskStatus::Pending, 1), "the dead are found");
    assert_eq!(worker.complete(&held).await, SettleAnswer::Done);
    assert_eq!(worker.claim(9).await.len(), 0);
    h.control(Command::Resume).await;
    let mut given = ids(&worker.claim(9).await);
    assert_eq!(given.remove(0), "lost");
    given.sort();
    assert_eq!(given, if delays { vec!["late", "new"] } else { vec!["new"] });
}

/// A queue that refused its workers could never drain.
pub async fn a_full_queue_goes_on_with_what_it_has<H: Harness>(h: &H) {
    if h.lacks(Capability::Limit).await {
        return;
    }
    h.control(Command::Limit(Some(1))).await;
    h.put("a", options()).await;
    let mut worker = h.sim("w").lease(secs(3600));
    let held = worker.claim_one().await;
    h.put("b", options()).await;
    assert_eq!(worker.settle(&held, retry(secs(1))).await, SettleAnswer::Done);
    assert_eq!(h.status("a").await, TaskStatus::Retry);
    assert_eq!(h.send(vec![task("c", options())]).await, [Enqueued::Full]);
    h.advance(secs(2)).await;
    for delivery in worker.claim(9).await {
        assert_eq!(worker.complete(&delivery).await, SettleAnswer::Done);
    }
    h.put("c", options()).await;
}
