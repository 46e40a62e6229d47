//! What a bad network does with every method of a queue: each of them may be sent again, and nothing is lost or doubled.

use std::time::Duration;

use task_core::{
    Batch, Claim, Command, Filter, Heartbeat, Name, Queue, QueueError, SettleRequest, Settlement, TaskHandle,
    TaskId, TaskMessage, TaskOptions, TaskQueue,
};
use task_testkit::{Hostile, Method, Mishap, ModelQueue, Sim};

const QUEUE: Name = Name::DEFAULT_QUEUE;
const TINY: Duration = Duration::from_millis(1);

/// One call of each method, which has an effect if the method can have one.
struct Calls {
    new: Batch,
    claim: Claim,
    settle: SettleRequest,
    beat: Heartbeat,
    id: TaskId,
}

/// A queue with a task that runs, one that waits, and the calls to come.
async fn staged() -> (ModelQueue, Calls) {
    let model = ModelQueue::new();
    let message = |id: &str| {
        let params = task_core::encode(&()).unwrap();
        TaskMessage::new(id.parse().unwrap(), "work", params, TaskOptions::default()).unwrap()
    };
    let batch = Batch::new(QUEUE, vec![message("runs"), message("waits")]);
    model.enqueue(batch).await.unwrap();
    let mut worker = Sim::new(&model, "w");
    let held = worker.claim_one().await;
    let end = task_core::Outcome::Skipped { reason: "nothing to do".into() };
    let calls = Calls {
        new: Batch::new(QUEUE, vec![message("new")]),
        claim: worker.next_claim(1),
        settle: SettleRequest::new(QUEUE, vec![Settlement::new(held, end)]),
        beat: Heartbeat::new(QUEUE, task_core::Incarnation::new(), worker.registration.clone()),
        id: "waits".parse().unwrap(),
    };
    (model, calls)
}

async fn call(queue: &impl Queue, method: Method, calls: &Calls) -> Result<(), QueueError> {
    match method {
        Method::Enqueue => queue.enqueue(calls.new.clone()).await.map(drop),
        Method::Dequeue => queue.dequeue(calls.claim.clone()).await.map(drop),
        Method::Settle => queue.settle(calls.settle.clone()).await.map(drop),
        Method::Heartbeat => queue.heartbeat(calls.beat.clone()).await.map(drop),
        Method::Release => queue.release(&QUEUE, calls.claim.worker).await.map(drop),
        Method::Result => queue.result(&QUEUE, &calls.id).await.map(drop),
        Method::Info => queue.info().await.map(drop),
        Method::Wait => queue.wait(&QUEUE, &calls.id, TINY).await.map(drop),
        Method::Cancel => queue.cancel(&QUEUE, &calls.id).await.map(drop),
        Method::Control => queue.control(&QUEUE, Command::Pause).await.map(drop),
        Method::Stats => queue.stats(&QUEUE).await.map(drop),
        Method::List => queue.list(&QUEUE, Filter::new(9)).await.map(drop),
        Method::Explain => queue.explain(&QUEUE, &calls.id).await.map(drop),
        Method::Queues => queue.queues().await.map(drop),
        Method::Message => queue.message(&QUEUE, &calls.id).await.map(drop),
    }
}

/// Everything that an effect shows in.
async fn seen(model: &ModelQueue) -> String {
    let mut stats = model.stats(&QUEUE).await.unwrap();
    (stats.enqueued_per_minute, stats.finished_per_minute, stats.oldest_pending_secs) = (0.0, 0.0, None);
    let workers = stats.workers.split_off(0).len();
    let tasks = model.list(&QUEUE, Filter::new(9)).await.unwrap().tasks;
    let mut tasks: Vec<_> =
        tasks.iter().map(|task| (task.id.to_string(), task.status, task.attempts, task.crashes)).collect();
    tasks.sort();
    format!("{stats:?}, {workers} workers, {tasks:?}")
}

/// What is seen after a call of a method that was carried out once.
async fn once(method: Method) -> String {
    let (model, calls) = staged().await;
    call(&model, method, &calls).await.unwrap();
    seen(&model).await
}

fn has_an_effect(method: Method) -> bool {
    use Method::{Cancel, Control, Dequeue, Enqueue, Heartbeat, Release, Settle};
    matches!(method, Enqueue | Dequeue | Settle | Heartbeat | Release | Cancel | Control)
}

#[tokio::test(start_paused = true)]
async fn a_call_of_any_method_that_fails_or_hangs_has_no_effect() {
    for &method in Method::ALL {
        let (model, calls) = staged().await;
        let before = seen(&model).await;
        let network = Hostile::new(model.clone()).plan_for(method, [Mishap::Fail, Mishap::Hang]);
        let failed = call(&network, method, &calls).await;
        assert!(matches!(failed, Err(QueueError::Unreachable(_))), "{method:?}: {failed:?}");
        let hangs = tokio::time::timeout(Duration::from_secs(3600), call(&network, method, &calls)).await;
        assert!(hangs.is_err(), "{method:?}");
        assert_eq!(seen(&model).await, before, "{method:?}");
        call(&network, method, &calls).await.unwrap();
        assert_eq!(seen(&model).await, once(method).await, "{method:?}");
        assert_eq!(seen(&model).await != before, has_an_effect(method), "{method:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_any_method_whose_answer_is_lost_has_its_effect_once_when_it_is_sent_again() {
    for &method in Method::ALL {
        let (model, calls) = staged().await;
        let network = Hostile::new(model.clone()).plan_for(method, [Mishap::LoseReply, Mishap::LoseReply]);
        for _ in 0..2 {
            let lost = call(&network, method, &calls).await;
            assert!(matches!(lost, Err(QueueError::AnswerLost(_))), "{method:?}: {lost:?}");
            assert_eq!(seen(&model).await, once(method).await, "{method:?}");
        }
        call(&network, method, &calls).await.unwrap();
        assert_eq!(seen(&model).await, once(method).await, "{method:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_any_method_that_is_delivered_twice_or_late_has_its_effect_once() {
    for &method in Method::ALL {
        for mishap in [Mishap::Twice, Mishap::Late] {
            let (model, calls) = staged().await;
            let network = Hostile::new(model.clone()).plan_for(method, [mishap]);
            if call(&network, method, &calls).await.is_err() {
                call(&network, method, &calls).await.unwrap(); // sent again before the late one arrives
            }
            assert_eq!(seen(&model).await, once(method).await, "{method:?}, {mishap:?}");
            tokio::time::sleep(Mishap::LATE * 2).await;
            assert_eq!(seen(&model).await, once(method).await, "{method:?}, {mishap:?}");
        }
    }
}

#[tokio::test]
async fn while_the_network_is_cut_nothing_works_and_the_plan_waits() {
    let (model, calls) = staged().await;
    let network = Hostile::new(model).plan([Mishap::LoseReply]);
    network.cut();
    for &method in Method::ALL {
        let failed = call(&network, method, &calls).await;
        assert!(matches!(failed, Err(QueueError::Unreachable(_))), "{method:?}: {failed:?}");
    }
    network.mend();
    assert!(matches!(call(&network, Method::Enqueue, &calls).await, Err(QueueError::AnswerLost(_))));
    call(&network, Method::Enqueue, &calls).await.unwrap();
}

#[tokio::test]
async fn chance_follows_from_its_seed() {
    let mishaps = |seed| async move {
        let network = Hostile::new(ModelQueue::new()).by_chance(seed, 3, &[Mishap::Fail]);
        let mut failed = Vec::new();
        for _ in 0..100 {
            failed.push(network.info().await.is_err());
        }
        failed
    };
    let first = mishaps(1).await;
    assert_eq!(first, mishaps(1).await);
    assert_ne!(first, mishaps(2).await);
    assert!((20..50).contains(&first.iter().filter(|failed| **failed).count()));
}

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
