//! Attempts end in batches, each for itself, and the next claim may travel along.

use std::sync::Arc;

use task_core::{
    Delivery, Outcome, Queue as _, QueueError, SettleAnswer, SettleRequest, Settlement, TaskStatus,
};

use crate::{
    Harness,
    sim::{completed, failed, retry},
    stage::*,
};

/// One bad settlement that failed its batch would be sent again for ever, with all the others.
pub async fn a_stale_settlement_fails_nothing_but_itself<H: Harness>(h: &H) {
    h.send(["a", "b", "c"].map(|id| task(id, options())).to_vec()).await;
    let (mut worker, mut lost) = (h.sim("w"), h.sim("lost"));
    let first = worker.claim_one().await;
    let stale = lost.claim_one().await;
    let last = worker.claim_one().await;
    lost.release().await;
    let ends = [(&first, completed(1)), (&stale, completed(2)), (&first, completed(1)), (&last, failed())];
    let ends = ends.map(|(delivery, outcome)| Settlement::new(delivery.clone(), outcome)).to_vec();
    let reply = h.queue().settle(SettleRequest::new(QUEUE, ends)).await.expect("an answer");
    use SettleAnswer::{AlreadyDone, Done, Stale};
    assert_eq!(reply.answers, [Done, Stale, AlreadyDone, Done]);
    assert!(reply.claimed.is_none());
    for (id, status) in [("a", TaskStatus::Completed), ("b", TaskStatus::Pending), ("c", TaskStatus::Failed)]
    {
        assert_eq!(h.status(id).await, status, "{id}");
    }
}

pub async fn a_claim_that_travels_with_settlements_is_carried_out_after_them<H: Harness>(h: &H) {
    h.send(["a", "b"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    let end = Settlement::new(held.clone(), Outcome::Released);
    let request = SettleRequest::new(QUEUE, vec![end]).then(worker.next_claim(1));
    let reply = h.queue().settle(request).await.expect("an answer");
    assert_eq!(reply.answers, [SettleAnswer::Done]);
    let claimed = reply.claimed.expect("the claim is answered").expect("it is alive");
    assert_eq!(ids(&claimed.tasks), ["a"], "what was given back comes first");
    assert_ne!(claimed.tasks[0].token, held.token);
    assert_eq!(claimed.tasks[0].record.releases, 1);
}

/// What a closed worker had settled in time is settled; only its claim is refused.
pub async fn the_claim_of_a_closed_worker_is_refused_beside_its_settlements<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let held = worker.claim_one().await;
    worker.release().await;
    let end = Settlement::new(held, completed(1));
    let request = SettleRequest::new(QUEUE, vec![end]).then(worker.next_claim(1));
    let reply = h.queue().settle(request).await.expect("an answer");
    assert_eq!(reply.answers, [SettleAnswer::Stale]);
    assert!(matches!(reply.claimed, Some(Err(QueueError::Closed(closed))) if closed == worker.worker));
}

pub async fn no_settlements_at_all_are_answered_with_no_answers<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("w");
    let nothing = SettleRequest::new(QUEUE, Vec::new());
    let reply = h.queue().settle(nothing.clone()).await.expect("an answer");
    assert_eq!((reply.answers.len(), reply.claimed.is_none()), (0, true));
    let reply = h.queue().settle(nothing.then(worker.next_claim(1))).await.expect("an answer");
    assert_eq!(ids(&reply.claimed.expect("the claim is answered").expect("it is alive").tasks), ["a"]);
}

pub async fn good_work_is_taken_while_its_token_is_current_however_late<H: Harness>(h: &H) {
    h.put("a", options().timeout(secs(1))).await;
    let mut worker = h.sim("w").lease(secs(7200));
    let held = worker.claim_one().await;
    h.advance(secs(3600)).await;
    assert_eq!(worker.complete(&held).await, SettleAnswer::Done);
    assert_eq!(h.status("a").await, TaskStatus::Completed);
}

/// An attempt that ended twice, each time otherwise, has ended as it did the first time.
pub async fn an_attempt_that_has_ended_can_not_end_otherwise<H: Harness>(h: &H) {
    h.send(["a", "b"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let held = worker.claim(2).await;
    worker.settle(&held[0], retry(secs(60))).await;
    worker.complete(&held[1]).await;
    assert_eq!(worker.settle(&held[0], completed(1)).await, SettleAnswer::Stale);
    assert_eq!(worker.settle(&held[1], failed()).await, SettleAnswer::Stale);
    assert_eq!(h.status("a").await, TaskStatus::Retry);
    assert_eq!(h.status("b").await, TaskStatus::Completed);
}

/// A worker that stopped gave back what waited in it in one call, and it came out the wrong way round.
pub async fn what_is_given_back_together_keeps_its_order<H: Harness>(h: &H) {
    let order = ["c", "a", "d", "b", "e"];
    h.send(order.map(|id| task(id, options())).to_vec()).await;
    h.put("later", options()).await;
    let mut worker = h.sim("w");
    let mut held = worker.claim(2).await;
    held.extend(worker.claim(3).await);
    assert_eq!(ids(&held), order);
    let end = |(delivery, outcome): (&Arc<Delivery>, _)| Settlement::new(delivery.clone(), outcome);
    let outcomes = [Outcome::Released, completed(1), Outcome::Released, Outcome::Released, Outcome::Released];
    let ends = held.iter().zip(outcomes).map(end).collect();
    let reply = h.queue().settle(SettleRequest::new(QUEUE, ends)).await.expect("an answer");
    assert_eq!(reply.answers, [SettleAnswer::Done; 5]);
    assert_eq!(ids(&worker.claim(9).await), ["c", "d", "b", "e", "later"]);
}
