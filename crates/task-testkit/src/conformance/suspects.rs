//! Suspects, whose worker died under them twice, run alone; one poison task takes no neighbour along.

use std::time::Instant;

use task_core::{CancelAnswer, Capability, Command, Outcome, SettleAnswer, TaskStatus};

use crate::{
    Harness,
    sim::{Sim, failed, retry},
    stage::*,
};

/// One task that kills its process took 63 neighbours along.
pub async fn a_suspect_runs_alone_and_only_in_a_worker_that_holds_nothing<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await {
        return;
    }
    h.suspect("poison").await;
    h.send(["a", "b"].map(|id| task(id, options())).to_vec()).await;
    let mut busy = h.sim("busy");
    busy.idle = false;
    assert_eq!(ids(&busy.claim(1).await), ["a"], "beside other tasks it is not given out");
    let mut idle = h.sim("idle");
    let alone = idle.claim(9).await;
    assert_eq!(ids(&alone), ["poison"], "it comes first, and alone");
    assert!(alone[0].suspect);
    idle.idle = false;
    assert_eq!(idle.claim(9).await.len(), 0, "beside it nothing is given out");
    assert_eq!(idle.complete(&alone[0]).await, SettleAnswer::Done);
    assert_eq!(ids(&idle.claim(9).await), ["b"]);
}

/// A worker can't know what its other claims are bringing just now; the backend does.
pub async fn a_worker_that_holds_something_gets_no_suspect_whatever_it_says<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await {
        return;
    }
    h.suspect("poison").await;
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    worker.idle = false;
    worker.claim_one().await;
    worker.idle = true;
    assert_eq!(worker.claim(9).await.len(), 0);
    assert_eq!(ids(&h.sim("other").claim(9).await), ["poison"]);
}

pub async fn one_worker_at_a_time_is_asked_to_run_empty_for_a_suspect<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await {
        return;
    }
    h.suspect("poison").await;
    let mut workers = [h.sim("w1"), h.sim("w2"), h.sim("w3")];
    let mut asked = 0;
    for worker in &mut workers {
        worker.idle = false;
        asked += usize::from(worker.try_claim(1).await.expect("an answer").run_empty);
    }
    assert_eq!(asked, 1);
}

/// The one that was asked died, and the suspect waited for ever.
pub async fn another_worker_is_asked_to_run_empty_when_the_asked_one_is_gone<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await {
        return;
    }
    h.suspect("poison").await;
    let workers = [h.sim("w1"), h.sim("w2")];
    assert!(workers[0].beat().await.run_empty);
    assert!(!workers[1].beat().await.run_empty);
    workers[0].release().await;
    assert!(workers[1].beat().await.run_empty);
}

/// A pause that empties workers for tasks that it does not give out stops other queues, too.
pub async fn nobody_is_asked_to_run_empty_while_the_queue_is_paused<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await || h.lacks(Capability::Pause).await {
        return;
    }
    h.suspect("poison").await;
    h.control(Command::Pause).await;
    let worker = h.sim("w");
    assert!(!worker.beat().await.run_empty);
    h.control(Command::Resume).await;
    assert!(worker.beat().await.run_empty);
}

/// A poison task that fails now and then before it kills its worker would be back among its neighbours.
pub async fn a_suspect_that_is_tried_again_or_given_back_is_one_still<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await {
        return;
    }
    h.suspect("poison").await;
    let mut worker = h.sim("w").lease(secs(3600));
    for end in [retry(secs(1)), Outcome::Released] {
        let held = worker.claim_one().await;
        assert!(held.suspect);
        worker.settle(&held, end).await;
        h.advance(secs(2)).await;
        worker.idle = false;
        assert_eq!(worker.claim(9).await.len(), 0, "it is not given out beside others");
        worker.idle = true;
    }
    assert!(worker.claim_one().await.suspect);
}

pub async fn a_suspect_that_was_replayed_is_none_any_more<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await || h.lacks(Capability::Replay).await {
        return;
    }
    h.suspect("poison").await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.settle(&held, failed()).await;
    h.control(Command::Replay(id("poison"))).await;
    worker.idle = false;
    let held = worker.claim_one().await;
    assert_eq!((held.suspect, held.record.crashes), (false, 0));
}

/// A suspect of a name that a worker did not know came back among the neighbours of one that knew it.
pub async fn a_suspect_of_an_unknown_name_runs_alone_in_a_worker_that_knows_it<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await || h.lacks(Capability::UnknownNames).await {
        return;
    }
    h.suspect("poison").await;
    let (mut old, mut new) = (Sim::knowing(h.queue(), "old", &["other"]), h.sim("new"));
    let held = old.claim_one().await;
    old.settle(&held, Outcome::NameUnknown).await;
    assert!(!old.beat().await.run_empty, "it can't take it");
    assert_eq!(old.claim(9).await.len(), 0);
    h.put("a", options()).await;
    new.idle = false;
    assert_eq!(ids(&new.claim(9).await), ["a"]);
    let mut idle = h.sim("idle");
    let alone = idle.claim(9).await;
    assert_eq!(ids(&alone), ["poison"]);
    assert!(alone[0].suspect);
    assert_eq!(h.status("poison").await, TaskStatus::Running);
}

/// A worker that was asked to run empty rested until its next beat, for a task that nobody waited for any more.
pub async fn a_worker_hears_at_once_that_it_need_not_run_empty_any_more<H: Harness>(h: &H) {
    if h.lacks(Capability::Suspects).await || h.lacks(Capability::Cancel).await {
        return;
    }
    h.suspect("poison").await;
    h.put("a", options()).await;
    let mut busy = h.sim("busy");
    busy.idle = false;
    busy.claim_one().await;
    assert!(busy.beat().await.run_empty);
    let start = Instant::now();
    let hears = async {
        // it may be told at each beat that it still holds
        while busy.beat_for(LONG).await.run_empty {
            tokio::task::yield_now().await;
        }
        start.elapsed()
    };
    let cancels = async {
        tokio::task::yield_now().await;
        assert_eq!(h.cancel("poison").await, CancelAnswer::Cancelled);
    };
    let (after, ()) = tokio::join!(hears, cancels);
    assert!(after < SOON, "it was told after {after:?}");
}
