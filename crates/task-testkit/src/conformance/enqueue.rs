//! Tasks come in once, whole, and with an answer for each.

use std::collections::HashSet;

use task_core::{Batch, Capability, Enqueued, Lookup, Queue as _, TaskStatus, Timestamp};

use crate::{Harness, stage::*};

pub async fn a_task_that_was_taken_in_is_pending_and_keeps_all_that_was_said_of_it<H: Harness>(h: &H) {
    let mut message = task("a", options().header("user", "ann").max_retries(7).timeout(secs(30)));
    message.trace = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    (message.parent, message.root) = (Some(id("parent")), Some(id("root")));
    // what no release acts on yet must reach the one that will
    message.reserved.get_or_insert_default().ordering_key = Some("order-7".into());
    message.reserved.get_or_insert_default().cost = Some(3);
    message.reserved.get_or_insert_default().tenant = Some("acme".into());
    assert_eq!(h.send(vec![message.clone()]).await, [Enqueued::Queued]);
    let record = h.record("a").await;
    assert_eq!((record.status, record.attempts, record.generation), (TaskStatus::Pending, 0, 0));
    assert_eq!((record.id, record.queue, record.task), (message.id.clone(), QUEUE, message.name.clone()));
    assert_eq!((record.started_at, record.finished_at, record.result), (None, None, None));
    assert_eq!(record.fingerprint, message.fingerprint());
    let delivery = h.sim("w").claim_one().await;
    let stored = delivery.message.as_ref().expect("the stored message is readable");
    message.enqueued_at = Some(record.enqueued_at); // which the backend sets, by its clock
    assert_eq!(*stored, message);
}

pub async fn the_same_task_enqueued_again_is_answered_as_there_and_runs_once<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let again = h.send(vec![task("a", options())]).await;
    assert_eq!(again, [Enqueued::Exists { status: TaskStatus::Pending, same: true }]);
    let mut worker = h.sim("w");
    let delivery = worker.claim_one().await;
    assert_eq!(worker.claim(9).await.len(), 0);
    let running = h.send(vec![task("a", options())]).await;
    assert_eq!(running, [Enqueued::Exists { status: TaskStatus::Running, same: true }]);
    worker.complete(&delivery).await;
    let done = h.send(vec![task("a", options())]).await;
    assert_eq!(done, [Enqueued::Exists { status: TaskStatus::Completed, same: true }]);
    assert_eq!(worker.claim(9).await.len(), 0);
}

/// A duplicate that overwrites the first message makes a task run with params that nobody was told of.
pub async fn another_task_under_an_id_that_is_there_changes_nothing<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mut other = task("a", options().priority(50));
    other.params = task_core::encode("other").expect("a text is encoded").into();
    let answer = h.send(vec![other]).await;
    assert_eq!(answer, [Enqueued::Exists { status: TaskStatus::Pending, same: false }]);
    let mut worker = h.sim("w");
    let delivery = worker.claim_one().await;
    let message = delivery.message.as_ref().expect("the stored message is readable");
    assert_eq!(message.params, task("a", options()).params);
    worker.complete(&delivery).await;
    h.send(vec![task("a", options().header("late", "yes"))]).await;
    assert_eq!(h.status("a").await, TaskStatus::Completed);
}

pub async fn each_message_of_a_batch_has_an_answer_in_its_place<H: Harness>(h: &H) {
    h.put("b", options()).await;
    let batch = ["a", "b", "c", "a"].map(|id| task(id, options()));
    let there = Enqueued::Exists { status: TaskStatus::Pending, same: true };
    let answers = h.send(batch.to_vec()).await;
    assert_eq!(answers, [Enqueued::Queued, there.clone(), Enqueued::Queued, there]);
    assert_eq!(ids(&h.sim("w").claim(9).await), ["b", "a", "c"]);
}

pub async fn a_batch_of_a_thousand_comes_in_and_out_whole<H: Harness>(h: &H) {
    let batch: Vec<_> = (0..Batch::MAX).map(|n| task(&format!("t{n}"), options())).collect();
    assert!(h.send(batch).await.iter().all(|answer| *answer == Enqueued::Queued));
    let (mut worker, mut seen) = (h.sim("w"), HashSet::new());
    loop {
        let claimed = worker.claim(300).await;
        if claimed.is_empty() {
            break;
        }
        seen.extend(ids(&claimed));
    }
    assert_eq!(seen.len(), Batch::MAX);
}

pub async fn an_empty_batch_is_answered_with_no_answers<H: Harness>(h: &H) {
    assert_eq!(h.send(Vec::new()).await, []);
}

pub async fn named_queues_share_no_ids_and_no_tasks<H: Harness>(h: &H) {
    h.put("a", options()).await;
    let mail: task_core::Name = "mail".parse().expect("a name");
    let other = task("a", options().queue("mail"));
    let reply = h.queue().enqueue(Batch::new(mail.clone(), vec![other])).await.expect("an answer");
    assert_eq!(reply.answers, [Enqueued::Queued]);
    let mut worker = h.sim("w");
    worker.queue = mail.clone();
    let delivery = worker.claim_one().await;
    assert_eq!(delivery.record.queue, mail);
    worker.complete(&delivery).await;
    assert_eq!(h.status("a").await, TaskStatus::Pending);
    let found = h.queue().result(&mail, &id("a")).await.expect("an answer");
    assert!(matches!(found, Lookup::Found(record) if record.status == TaskStatus::Completed));
}

pub async fn an_id_that_nobody_enqueued_is_not_found<H: Harness>(h: &H) {
    assert_eq!(h.lookup("nobody").await, Lookup::NotFound);
}

pub async fn ids_of_every_allowed_form_are_kept_apart<H: Harness>(h: &H) {
    let forms = [
        "a",
        "A",
        "!\"#$%&'()*+,-./",
        "0190163d-8694-739b-aea5-966c26f8ad91",
        "0190163D-8694-739B-AEA5-966C26F8AD91",
        "{x}:1",
        "%s",
        "\\n",
        "0",
    ];
    let long = "x".repeat(128);
    for form in forms.into_iter().chain([&*long]) {
        h.put(form, options()).await;
    }
    let claimed = h.sim("w").claim(20).await;
    let expected: Vec<&str> = forms.into_iter().chain([&*long]).collect();
    assert_eq!(ids(&claimed), expected);
}

pub async fn the_message_of_a_task_that_is_not_final_is_given_as_it_was_enqueued<H: Harness>(h: &H) {
    if h.lacks(Capability::Messages).await {
        return;
    }
    let mut message = task("a", options().header("user", "ann").max_retries(7).timeout(secs(30)));
    h.send(vec![message.clone()]).await;
    message.enqueued_at = Some(h.record("a").await.enqueued_at);
    let stored = async || h.queue().message(&QUEUE, &message.id).await.expect("the message is readable");
    assert_eq!(stored().await, Some(message.clone()));
    h.sim("w").claim_one().await;
    assert_eq!((h.status("a").await, stored().await), (TaskStatus::Running, Some(message.clone())));
    let missing = h.queue().message(&QUEUE, &id("b")).await.expect("it is answered");
    assert_eq!(missing, None);
}

pub async fn an_enqueue_says_how_durable_it_is<H: Harness>(h: &H) {
    let claimed = h.queue().info().await.expect("an answer").durability;
    let reply = h.queue().enqueue(Batch::new(QUEUE, vec![task("a", options())])).await.expect("an answer");
    assert_eq!(reply.durability, claimed);
}

/// A producer's clock may be wrong by years.
pub async fn the_time_of_an_enqueue_is_the_backends<H: Harness>(h: &H) {
    let mut wrong = task("wrong", options());
    wrong.enqueued_at = Some(Timestamp::from_millis(1));
    h.send(vec![wrong, task("right", options())]).await;
    let (wrong, right) = (h.record("wrong").await.enqueued_at, h.record("right").await.enqueued_at);
    assert_eq!(wrong, right);
}

/// Whether params can be read is found out where they are read.
pub async fn params_of_any_bytes_travel_as_they_are<H: Harness>(h: &H) {
    let all: Vec<u8> = (0..=255).collect();
    let mut odd = task("odd", options());
    odd.params = all.clone().into();
    h.send(vec![odd, task("even", options())]).await;
    let claimed = h.sim("w").claim(9).await;
    assert_eq!(ids(&claimed), ["odd", "even"]);
    let message = claimed[0].message.as_ref().expect("the stored message is readable");
    assert_eq!(message.params, all);
}
