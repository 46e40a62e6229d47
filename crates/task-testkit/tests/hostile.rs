//! What a bad network does to an app: nothing is lost, and nothing is doubled.

use std::time::Duration;

use task_core::{Queue as _, QueueError, TaskHandle, TaskQueue};
use task_testkit::{Hostile, Mishap, ModelQueue, Sim};

#[tokio::test]
async fn a_task_is_enqueued_once_however_often_its_answer_is_lost() {
    use Mishap::{Fail, LoseReply, Twice};
    for plan in [[Fail, LoseReply, LoseReply], [LoseReply, Fail, Twice], [Twice, Twice, Twice]] {
        let model = ModelQueue::new();
        let queue = TaskQueue::new(Hostile::new(model.clone()).plan(plan));
        let handle: TaskHandle<u8> = queue.enqueue_named("work", &1).await.unwrap();
        let mut worker = Sim::new(&model, "w");
        let delivery = worker.claim_one().await;
        assert_eq!(delivery.id(), handle.id());
        assert_eq!(worker.claim(9).await.len(), 0, "{plan:?}");
        worker.complete(&delivery).await;
        assert_eq!(handle.result(Duration::from_secs(10)).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_gives_its_tasks_when_it_is_sent_again() {
    let model = ModelQueue::new();
    let queue = TaskQueue::new(model.clone());
    queue.enqueue_named::<u8>("work", &1).await.unwrap();
    let hostile = Hostile::new(model).plan([Mishap::LoseReply]);
    let mut worker = Sim::new(&hostile, "w");
    let claim = worker.next_claim(1);
    assert!(matches!(hostile.dequeue(claim.clone()).await, Err(QueueError::AnswerLost(_))));
    let claimed = hostile.dequeue(claim).await.unwrap();
    assert_eq!(claimed.tasks.len(), 1);
    assert_eq!(claimed.tasks[0].record.attempts, 1);
}
