//! A claim, RUNNING, the attempt and the token are one step, and may be asked for again.

use std::collections::HashSet;

use task_core::{Capability, Claim, Moment, Queue as _, TaskStatus};

use crate::{Harness, stage::*};

pub async fn a_claimed_task_runs_with_its_attempt_counted_and_its_worker_named<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut worker = h.sim("worker_1");
    let claim = worker.next_claim(1);
    let claimed = h.queue().dequeue(claim.clone()).await.expect("a claim is answered");
    assert_eq!(claimed.tasks[0].token, claim.token());
    for record in [&claimed.tasks[0].record, &h.record("a").await] {
        assert_eq!((record.status, record.attempts), (TaskStatus::Running, 1));
        assert_eq!(record.worker.as_deref(), Some("worker_1"));
        assert!(record.started_at.is_some_and(|start| start >= record.enqueued_at));
    }
    assert!(!claimed.more && !claimed.paused && !claimed.run_empty);
}

pub async fn tasks_of_one_priority_start_in_the_order_of_their_enqueues<H: Harness>(h: &H) {
    for batch in [["a", "b"], ["c", "d"]] {
        h.send(batch.map(|id| task(id, options())).to_vec()).await;
    }
    let mut worker = h.sim("w");
    assert_eq!(ids(&worker.claim(3).await), ["a", "b", "c"]);
    assert_eq!(ids(&worker.claim(3).await), ["d"]);
}

/// Tasks with options came behind all others of their batch.
pub async fn a_batch_keeps_its_order_whatever_its_tasks_say<H: Harness>(h: &H) {
    let mut batch =
        vec![task("a", options()), task("b", options()), task("c", options()), task("d", options())];
    if !h.lacks(Capability::Expiry).await {
        batch[0].expires = Some(Moment::In(secs(60)));
    }
    if !h.lacks(Capability::Retention).await {
        batch[2].retention = Some(secs(60));
    }
    h.send(batch).await;
    assert_eq!(ids(&h.sim("w").claim(9).await), ["a", "b", "c", "d"]);
}

pub async fn no_task_is_given_out_twice_however_many_claim_at_once<H: Harness>(h: &H) {
    h.send((0..60).map(|n| task(&format!("t{n}"), options())).collect()).await;
    let mut workers: Vec<_> = (0..6).map(|n| h.sim(&format!("w{n}"))).collect();
    let claims = workers.iter_mut().map(|worker| async move {
        let mut mine = Vec::new();
        for _ in 0..10 {
            mine.extend(ids(&worker.claim(2).await));
        }
        mine
    });
    let mut given = Vec::new();
    for mine in crate::together(claims).await {
        given.extend(mine);
    }
    let distinct: HashSet<&String> = given.iter().collect();
    assert_eq!((given.len(), distinct.len()), (60, 60));
}

/// A claim whose reply is lost would hold tasks that nobody runs until the lease ends.
pub async fn the_same_claim_again_gives_the_same_tasks_and_counts_no_attempt<H: Harness>(h: &H) {
    h.send(["a", "b", "c"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let claim = worker.next_claim(2);
    let first = h.queue().dequeue(claim.clone()).await.expect("an answer").tasks;
    let again = h.queue().dequeue(claim.clone()).await.expect("an answer").tasks;
    assert_eq!(ids(&first), ["a", "b"]);
    assert_eq!(ids(&again), ["a", "b"]);
    for delivery in &again {
        assert_eq!((delivery.token, delivery.record.attempts), (claim.token(), 1));
        assert!(delivery.message.is_ok());
    }
    assert_eq!(ids(&worker.claim(9).await), ["c"]);
}

pub async fn eight_claims_under_way_are_each_answered_again<H: Harness>(h: &H) {
    h.send((0..9).map(|n| task(&format!("t{n}"), options())).collect()).await;
    let mut worker = h.sim("w");
    let mut claims = Vec::new();
    for n in 0..Claim::IN_FLIGHT {
        let mut claim = worker.next_claim(1);
        claim.acked = 0;
        let tasks = h.queue().dequeue(claim.clone()).await.expect("an answer").tasks;
        assert_eq!(ids(&tasks), [format!("t{n}")]);
        claims.push(claim);
    }
    for (n, claim) in claims.into_iter().enumerate() {
        let again = h.queue().dequeue(claim).await.expect("an answer").tasks;
        assert_eq!(ids(&again), [format!("t{n}")]);
    }
}

/// A delayed original of a claim that was answered long ago would take tasks that nobody knows of.
pub async fn a_claim_that_was_acknowledged_gives_nothing_any_more<H: Harness>(h: &H) {
    h.send(["a", "b"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    let late = worker.next_claim(1);
    h.queue().dequeue(late.clone()).await.expect("an answer");
    worker.claim(0).await; // acknowledges the first
    let claimed = worker.claim(1).await;
    assert_eq!(ids(&claimed), ["b"]);
    let again = h.queue().dequeue(late).await.expect("an answer").tasks;
    assert_eq!(ids(&again), [] as [&str; 0]);
}

pub async fn a_claim_for_no_tasks_takes_none<H: Harness>(h: &H) {
    h.put("a", options()).await;
    assert_eq!(h.sim("w").claim(0).await.len(), 0);
    assert_eq!(h.status("a").await, TaskStatus::Pending);
}

pub async fn a_claim_says_whether_more_is_due<H: Harness>(h: &H) {
    h.send(["a", "b"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w");
    assert!(worker.try_claim(1).await.expect("an answer").more);
    assert!(!worker.try_claim(1).await.expect("an answer").more);
}

pub async fn a_claim_brings_about_as_many_bytes_as_asked_for_and_at_least_one_task<H: Harness>(h: &H) {
    for id in ["a", "b", "c", "d"] {
        let mut message = task(id, options());
        message.params = task_core::encode(&"x".repeat(10_000)).expect("a text is encoded").into();
        h.send(vec![message]).await;
    }
    let mut worker = h.sim("w");
    let mut small = worker.next_claim(4);
    small.max_bytes = 1;
    assert_eq!(ids(&h.queue().dequeue(small).await.expect("an answer").tasks), ["a"]);
    let mut two = worker.next_claim(4);
    two.max_bytes = 25_000;
    let claimed = h.queue().dequeue(two).await.expect("an answer");
    assert!((1..=3).contains(&claimed.tasks.len()), "{} tasks for 25 kB", claimed.tasks.len());
    assert_eq!(claimed.tasks[0].id(), &id("b"));
    let rest = worker.claim(9).await.len();
    assert_eq!(rest + claimed.tasks.len(), 3, "what did not fit is still there");
}

/// Over a distance a claim may come that was given up long ago: nobody would know of what it took.
pub async fn a_claim_that_eight_others_have_overtaken_gives_nothing<H: Harness>(h: &H) {
    h.send((0..=Claim::IN_FLIGHT).map(|n| task(&format!("t{n}"), options())).collect()).await;
    let mut worker = h.sim("w");
    let mut late = worker.next_claim(1);
    late.acked = 0;
    for _ in 0..Claim::IN_FLIGHT {
        let mut claim = worker.next_claim(1);
        claim.acked = 0;
        assert_eq!(h.queue().dequeue(claim).await.expect("an answer").tasks.len(), 1);
    }
    assert_eq!(h.queue().dequeue(late).await.expect("an answer").tasks.len(), 0);
    assert_eq!(worker.claim(9).await.len(), 1);
}

pub async fn a_claim_says_when_to_look_again<H: Harness>(h: &H) {
    if h.lacks(Capability::Delays).await {
        return;
    }
    h.put("a", options().delay(secs(60))).await;
    let wake = h.sim("w").try_claim(1).await.expect("an answer").next_wake.expect("one is due later");
    assert!((secs(30)..=secs(60)).contains(&wake), "{wake:?}");
}
