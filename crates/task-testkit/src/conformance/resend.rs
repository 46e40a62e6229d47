//! Everything can be sent again: what a lost answer had done is done once.

use task_core::{
    Batch, CancelAnswer, Capability, Command, ControlAnswer, Enqueued, Heartbeat, Queue as _, TaskStatus,
    WorkerCommand,
};

use crate::{
    Harness,
    sim::{completed, failed},
    stage::*,
};

pub async fn an_enqueue_sent_again_is_answered_as_there<H: Harness>(h: &H) {
    let batch = Batch::new(QUEUE, vec![task("a", options()), task("b", options())]);
    h.queue().enqueue(batch.clone()).await.expect("an answer");
    let again = h.queue().enqueue(batch).await.expect("an answer").answers;
    let there = Enqueued::Exists { status: TaskStatus::Pending, same: true };
    assert_eq!(again, [there.clone(), there]);
    assert_eq!(ids(&h.sim("w").claim(9).await), ["a", "b"]);
}

/// A worker that holds its number back after an empty answer would have to know which one was empty.
pub async fn a_claim_that_was_answered_empty_may_bring_tasks_when_it_is_sent_again<H: Harness>(h: &H) {
    let mut worker = h.sim("w");
    let claim = worker.next_claim(1);
    assert_eq!(h.queue().dequeue(claim.clone()).await.expect("an answer").tasks.len(), 0);
    h.put("a", options()).await;
    assert_eq!(ids(&h.queue().dequeue(claim.clone()).await.expect("an answer").tasks), ["a"]);
    assert_eq!(ids(&h.queue().dequeue(claim).await.expect("an answer").tasks), ["a"]);
}

/// Though it would wait, if there were nothing: its worker never heard of what it was given.
pub async fn a_claim_that_waits_and_was_answered_unheard_is_answered_so_again<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let mut claim = worker.next_claim(9);
    claim.wait = SOON;
    for _ in 0..2 {
        assert_eq!(ids(&h.queue().dequeue(claim.clone()).await.expect("an answer").tasks), ["a"]);
    }
}

/// What a claim gave and its worker has settled is not given again under that number.
pub async fn a_claim_sent_again_brings_what_is_still_held_of_it<H: Harness>(h: &H) {
    h.send(["a", "b"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let claim = worker.next_claim(2);
    let held = h.queue().dequeue(claim.clone()).await.expect("an answer").tasks;
    worker.complete(&held[0]).await;
    assert_eq!(ids(&h.queue().dequeue(claim.clone()).await.expect("an answer").tasks), ["b"]);
    worker.settle(&held[1], task_core::Outcome::Released).await;
    assert_eq!(h.queue().dequeue(claim).await.expect("an answer").tasks.len(), 0);
    assert_eq!(ids(&worker.claim(1).await), ["b"]);
}

/// Over a distance claims overtake each other.
pub async fn a_claim_that_arrives_after_a_later_one_brings_tasks_too<H: Harness>(h: &H) {
    h.send(["a", "b"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let (first, mut second) = (worker.next_claim(1), worker.next_claim(1));
    second.acked = 0;
    assert_eq!(ids(&h.queue().dequeue(second).await.expect("an answer").tasks), ["a"]);
    assert_eq!(ids(&h.queue().dequeue(first).await.expect("an answer").tasks), ["b"]);
}

pub async fn a_heartbeat_sent_again_changes_nothing<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.report(&held, 0.5).await;
    let before = h.record("a").await;
    let beat = Heartbeat::new(QUEUE, worker.worker, worker.registration.clone());
    for _ in 0..2 {
        let reply = h.queue().heartbeat(beat.clone()).await.expect("an answer");
        assert!(!reply.closed && reply.cancel.is_empty() && reply.commands.is_empty());
    }
    assert_eq!(h.record("a").await, before);
    assert_eq!(worker.settle(&held, completed(1)).await, task_core::SettleAnswer::Done);
}

pub async fn a_release_sent_again_gives_nothing_back_twice<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let (mut dead, mut heir) = (h.sim("dead"), h.sim("heir"));
    dead.claim_one().await;
    assert_eq!(dead.release().await, 1);
    let held = heir.claim_one().await;
    assert_eq!(dead.release().await, 0);
    let record = h.record("a").await;
    assert_eq!((record.status, record.crashes, record.attempts), (TaskStatus::Running, 1, 2));
    heir.complete(&held).await;
}

pub async fn a_cancel_sent_again_says_how_it_is<H: Harness>(h: &H) {
    if h.lacks(Capability::Cancel).await {
        return;
    }
    h.send(["a", "b"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    for _ in 0..2 {
        assert_eq!(h.cancel("a").await, CancelAnswer::Requested);
    }
    assert_eq!(h.cancel("b").await, CancelAnswer::Cancelled);
    assert_eq!(h.cancel("b").await, CancelAnswer::AlreadyFinal(TaskStatus::Cancelled));
    worker.settle(&held, failed()).await;
    assert_eq!(h.cancel("a").await, CancelAnswer::AlreadyFinal(TaskStatus::Cancelled));
}

pub async fn commands_sent_again_say_how_it_is<H: Harness>(h: &H) {
    let done = ControlAnswer::Done;
    let twice = async |command: Command| [h.control(command.clone()).await, h.control(command).await];
    if !h.lacks(Capability::Pause).await {
        assert_eq!(twice(Command::Pause).await, [done(0), done(0)]);
        assert_eq!(twice(Command::Resume).await, [done(0), done(0)]);
    }
    if !h.lacks(Capability::Limit).await {
        assert_eq!(twice(Command::Limit(Some(9))).await, [done(0), done(0)]);
        assert_eq!(twice(Command::Limit(None)).await, [done(0), done(0)]);
    }
    let mut worker = h.sim("w");
    h.put("a", options()).await;
    let held = worker.claim_one().await;
    worker.settle(&held, failed()).await;
    if !h.lacks(Capability::Replay).await {
        let waits = ControlAnswer::WrongStatus(TaskStatus::Pending);
        assert_eq!(twice(Command::Replay(id("a"))).await, [done(1), waits]);
        assert_eq!(h.record("a").await.generation, 1);
    }
    h.send(["b", "c"].map(|id| task(id, options())).to_vec()).await;
    if !h.lacks(Capability::Purge).await {
        let first = h.control(Command::Purge).await;
        assert!(matches!(first, ControlAnswer::Done(2 | 3)), "{first:?}");
        assert_eq!(h.control(Command::Purge).await, done(0));
        if !h.lacks(Capability::Delete).await {
            assert_eq!(twice(Command::Delete(id("b"))).await, [done(1), ControlAnswer::NotFound]);
        }
    }
    if !h.lacks(Capability::WorkerCommands).await {
        // it is heard as often as it was sent, and says what is to be, not by how much
        twice(Command::Tell(worker.worker, WorkerCommand::Concurrency(2))).await;
        assert_eq!(worker.beat().await.commands, [WorkerCommand::Concurrency(2); 2]);
    }
}
