//! Named queues share nothing.

use task_core::{
    Batch, Capability, Command, ControlAnswer, Enqueued, Name, Queue as _, SettleAnswer, TaskOptions,
};

use crate::{Harness, stage::*};

fn mail() -> Name {
    "mail".parse().expect("a name")
}

async fn put_mail<H: Harness>(h: &H, id: &str, options: TaskOptions) -> Enqueued {
    let batch = Batch::new(mail(), vec![task(id, options.queue("mail"))]);
    h.queue().enqueue(batch).await.expect("an answer").answers.remove(0)
}

async fn control_mail<H: Harness>(h: &H, command: Command) -> ControlAnswer {
    h.queue().control(&mail(), command).await.expect("a command is answered")
}

pub async fn a_unique_key_is_held_in_its_named_queue_alone<H: Harness>(h: &H) {
    if h.lacks(Capability::UniqueKeys).await {
        return;
    }
    h.put("a", options().unique_in_queue("key")).await;
    assert_eq!(put_mail(h, "b", options().unique_in_queue("key")).await, Enqueued::Queued);
}

pub async fn a_command_for_one_named_queue_leaves_the_others_alone<H: Harness>(h: &H) {
    h.put("a", options()).await;
    put_mail(h, "a", options()).await;
    if !h.lacks(Capability::Purge).await {
        assert_eq!(control_mail(h, Command::Purge).await, ControlAnswer::Done(1));
    }
    if !h.lacks(Capability::Pause).await {
        control_mail(h, Command::Pause).await;
    }
    if !h.lacks(Capability::Limit).await {
        control_mail(h, Command::Limit(Some(0))).await;
        assert_eq!(put_mail(h, "full", options()).await, Enqueued::Full);
    }
    h.put("b", options()).await;
    let mut worker = h.sim("w");
    assert_eq!(ids(&worker.claim(9).await), ["a", "b"]);
}

/// Whoever releases a dead worker does so in each queue that it worked on.
pub async fn a_worker_is_released_in_one_named_queue_at_a_time<H: Harness>(h: &H) {
    h.put("a", options()).await;
    put_mail(h, "a", options()).await;
    let mut here = h.sim("w");
    let mut there = here.clone();
    there.queue = mail();
    here.claim_one().await;
    let held = there.claim_one().await;
    assert_eq!(here.release().await, 1);
    assert!(here.beat().await.closed);
    assert!(!there.beat().await.closed);
    assert_eq!(there.complete(&held).await, SettleAnswer::Done);
}
