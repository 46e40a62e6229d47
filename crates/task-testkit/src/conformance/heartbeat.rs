//! The push channel of a worker: commands, cancels, and what its tasks say of how far they are.

use std::{sync::Arc, time::Instant};

use task_core::{
    CancelAnswer, Capability, Command, ControlAnswer, Heartbeat, Incarnation, Progress, Queue as _,
    TaskStatus, Timestamp, WorkerCommand,
};

use crate::{Harness, sim::retry, stage::*};

pub async fn commands_are_heard_once_in_their_order_by_the_worker_that_they_are_for<H: Harness>(h: &H) {
    if h.lacks(Capability::WorkerCommands).await {
        return;
    }
    let (worker, other) = (h.sim("w"), h.sim("other"));
    worker.beat().await;
    other.beat().await;
    let told = [WorkerCommand::Pause, WorkerCommand::Concurrency(7), WorkerCommand::Resume];
    for command in told {
        assert_eq!(h.control(Command::Tell(worker.worker, command)).await, ControlAnswer::Done(0));
    }
    assert_eq!(other.beat().await.commands, []);
    assert_eq!(worker.beat().await.commands, told);
    assert_eq!(worker.beat().await.commands, []);
}

/// A pause was told once, its answer was lost, and the worker that an operator had paused went on.
pub async fn a_command_is_told_again_until_a_beat_says_that_it_was_heard<H: Harness>(h: &H) {
    if h.lacks(Capability::WorkerCommands).await {
        return;
    }
    let worker = h.sim("w");
    worker.beat().await;
    let beat = async |heard| {
        let mut beat = Heartbeat::new(QUEUE, worker.worker, worker.registration.clone());
        beat.heard = heard;
        h.queue().heartbeat(beat).await.expect("a heartbeat is answered")
    };
    let tell = async |command| {
        assert_eq!(h.control(Command::Tell(worker.worker, command)).await, ControlAnswer::Done(0));
    };
    tell(WorkerCommand::Pause).await;
    assert_eq!(beat(0).await.commands, [WorkerCommand::Pause]);
    let first = beat(0).await;
    assert_eq!(first.commands, [WorkerCommand::Pause], "the answer may have been lost");
    tell(WorkerCommand::Resume).await;
    for _ in 0..2 {
        let second = beat(first.told).await;
        assert_eq!(second.commands, [WorkerCommand::Resume]);
        assert!(second.told > first.told);
    }
    let last = beat(beat(first.told).await.told).await;
    assert_eq!((last.commands.len(), last.told), (0, 0));
}

/// `taskctl workers` showed as many slots as a worker had been started with, whatever it had been told since.
pub async fn a_beat_tells_of_another_concurrency<H: Harness>(h: &H) {
    if h.lacks(Capability::Stats).await {
        return;
    }
    let mut worker = h.sim("w");
    worker.beat().await;
    Arc::make_mut(&mut worker.registration).concurrency = 9;
    worker.beat().await;
    assert_eq!(h.stats().await.workers[0].concurrency, 9);
}

pub async fn a_command_for_a_worker_that_is_not_there_finds_nobody<H: Harness>(h: &H) {
    if h.lacks(Capability::WorkerCommands).await {
        return;
    }
    let nobody = Command::Tell(Incarnation::new(), WorkerCommand::Pause);
    assert_eq!(h.control(nobody).await, ControlAnswer::NotFound);
    let gone = h.sim("w");
    gone.beat().await;
    gone.release().await;
    assert_eq!(h.control(Command::Tell(gone.worker, WorkerCommand::Pause)).await, ControlAnswer::NotFound);
}

pub async fn a_command_ends_the_wait_of_a_heartbeat<H: Harness>(h: &H) {
    if h.lacks(Capability::WorkerCommands).await {
        return;
    }
    let worker = h.sim("w");
    worker.beat().await;
    let start = Instant::now();
    let waits = async { (worker.beat_for(LONG).await, start.elapsed()) };
    let tells = async {
        tokio::task::yield_now().await;
        h.control(Command::Tell(worker.worker, WorkerCommand::Pause)).await;
    };
    let ((reply, after), ()) = tokio::join!(waits, tells);
    assert_eq!(reply.commands, [WorkerCommand::Pause]);
    assert!(after < SOON, "it was told after {after:?}");
}

pub async fn a_cancel_ends_the_wait_of_the_heartbeat_of_the_worker_that_has_the_task<H: Harness>(h: &H) {
    if h.lacks(Capability::Cancel).await {
        return;
    }
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    let start = Instant::now();
    let waits = async { (worker.beat_for(LONG).await, start.elapsed()) };
    let cancels = async {
        tokio::task::yield_now().await;
        assert_eq!(h.cancel("a").await, CancelAnswer::Requested);
    };
    let ((reply, after), ()) = tokio::join!(waits, cancels);
    assert_eq!(reply.cancel, [(id("a"), held.token)]);
    assert!(after < SOON, "it was told after {after:?}");
}

/// A heartbeat's thread that is not answered until its wait is over would go on working for a worker that is closed.
pub async fn a_heartbeat_of_a_closed_worker_is_answered_at_once<H: Harness>(h: &H) {
    let worker = h.sim("w");
    worker.beat().await;
    worker.release().await;
    let start = Instant::now();
    assert!(worker.beat_for(LONG).await.closed);
    assert!(start.elapsed() < SOON);
}

pub async fn progress_shows_in_the_record_until_the_task_is_tried_again<H: Harness>(h: &H) {
    if h.lacks(Capability::Progress).await {
        return;
    }
    h.send(["done", "again"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let held = worker.claim(2).await;
    for delivery in &held {
        worker.report(delivery, 0.25).await;
        worker.report(delivery, 0.5).await;
    }
    let said = |progress: Option<Progress>| progress.map(|progress| (progress.fraction, progress.note));
    let half = Some((0.5, "on its way".to_owned()));
    assert_eq!(said(h.record("done").await.progress), half);
    worker.complete(&held[0]).await;
    worker.settle(&held[1], retry(secs(60))).await;
    assert_eq!(said(h.record("done").await.progress), half, "it ended there");
    assert_eq!(h.record("again").await.progress, None, "it begins anew");
}

pub async fn progress_with_a_token_that_is_not_the_current_one_changes_nothing<H: Harness>(h: &H) {
    if h.lacks(Capability::Progress).await {
        return;
    }
    h.put("a", options()).await;
    let (mut zombie, mut heir) = (h.sim("zombie"), h.sim("heir"));
    let lost = zombie.claim_one().await;
    zombie.report(&lost, 0.9).await;
    zombie.release().await;
    assert_eq!(h.record("a").await.progress, None, "its next attempt begins anew");
    heir.claim_one().await;
    zombie.next_generation();
    zombie.report(&lost, 0.9).await;
    heir.report(&lost, 0.9).await;
    let record = h.record("a").await;
    assert_eq!((record.status, record.progress), (TaskStatus::Running, None));
}

/// A worker's clock may be wrong by years; what people look at goes by one clock.
pub async fn the_time_of_progress_is_the_backends<H: Harness>(h: &H) {
    if h.lacks(Capability::Progress).await {
        return;
    }
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.report_at(&held, 0.5, Timestamp::from_millis(1)).await;
    let record = h.record("a").await;
    assert!(record.progress.is_some_and(|progress| progress.at >= record.enqueued_at));
}
