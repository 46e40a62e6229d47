//! Who waits is woken, and nobody polls. Time is Tokio's and stands still unless everybody waits: a test that had to
//! wait for a timer would see the clock move.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use task_core::{
    Batch, CancelAnswer, Claim, Claimed, Command, Enqueued, FromUrl as _, Heartbeat, Incarnation, Lookup,
    Name, Outcome, Queue as _, QueueError, Registration, SettleRequest, Settlement, TaskId, TaskMessage,
    TaskOptions, TaskStatus, Token, WorkerCommand,
};
use task_queue_memory::MemoryQueue;
use tokio::{task::JoinHandle, time::Instant};

const QUEUE: Name = Name::DEFAULT_QUEUE;
const LONG: Duration = Duration::from_secs(3600);

fn message(options: TaskOptions) -> TaskMessage {
    TaskMessage::new(TaskId::new(), "a", vec![0xc0], options).unwrap()
}

async fn enqueue(queue: &MemoryQueue, options: TaskOptions) -> TaskId {
    let message = message(options);
    let id = message.id.clone();
    let reply = queue.enqueue(Batch::new(QUEUE, vec![message])).await.unwrap();
    assert_eq!(reply.answers, [Enqueued::Queued]);
    id
}

fn claim_of(worker: Incarnation, number: u64, wait: Duration) -> Claim {
    let registration = Arc::new(Registration::new("w", ["a".parse().unwrap()]));
    let mut claim = Claim::new(QUEUE, worker, registration, number);
    claim.wait = wait;
    claim
}

fn claim(wait: Duration) -> Claim {
    claim_of(Incarnation::new(), 1, wait)
}

/// A call that waits, and has begun to.
async fn waiting<F>(call: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let call = tokio::spawn(call);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!call.is_finished());
    call
}

async fn dequeue(queue: &MemoryQueue, claim: Claim) -> JoinHandle<Result<Claimed, QueueError>> {
    let queue = queue.clone();
    waiting(async move { queue.dequeue(claim).await }).await
}

fn id_of(claimed: &Claimed) -> TaskId {
    assert_eq!(claimed.tasks.len(), 1);
    claimed.tasks[0].id().clone()
}

#[tokio::test(start_paused = true)]
async fn a_waiting_claim_gets_a_task_in_the_moment_it_is_enqueued() {
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    let worker = dequeue(&queue, claim(LONG)).await;
    let id = enqueue(&queue, TaskOptions::default()).await;
    assert_eq!(id_of(&worker.await.unwrap().unwrap()), id);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_task_wakes_a_waiting_claim_at_its_time() {
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    let worker = dequeue(&queue, claim(LONG)).await;
    enqueue(&queue, TaskOptions::default().delay(Duration::from_secs(60))).await;
    let id = enqueue(&queue, TaskOptions::default().delay(Duration::from_millis(1_500))).await;
    assert_eq!(id_of(&worker.await.unwrap().unwrap()), id);
    assert!((1_500..1_510).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_batch_wakes_as_many_workers_as_it_has_tasks() {
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    let mut workers = Vec::new();
    for _ in 0..100 {
        workers.push(dequeue(&queue, claim(LONG)).await);
    }
    let batch = (0..100).map(|_| message(TaskOptions::default())).collect();
    queue.enqueue(Batch::new(QUEUE, batch)).await.unwrap();
    for worker in workers {
        id_of(&worker.await.unwrap().unwrap());
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_dropped_takes_no_wake_along() {
    // a worker that left between its wake and its claim left the others asleep beside the task
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    let gone = dequeue(&queue, claim(LONG)).await;
    let stays = dequeue(&queue, claim(LONG)).await;
    let id = enqueue(&queue, TaskOptions::default()).await;
    gone.abort();
    assert_eq!(id_of(&stays.await.unwrap().unwrap()), id);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

fn poll<F: Future>(call: Pin<&mut F>) -> Poll<F::Output> {
    call.poll(&mut Context::from_waker(Waker::noop()))
}

/// A worker that was closed between its wake and its claim kept the wake, and another slept on beside the task.
#[tokio::test(start_paused = true)]
async fn a_claim_that_is_refused_takes_no_wake_along() {
    // several times, since it is chance which of two wakes a claim takes notice of
    for _ in 0..32 {
        let queue = MemoryQueue::new();
        let worker = Incarnation::new();
        let mut refused = pin!(queue.dequeue(claim_of(worker, 1, LONG)));
        let mut stays = pin!(queue.dequeue(claim(LONG)));
        assert!(poll(refused.as_mut()).is_pending() && poll(stays.as_mut()).is_pending());
        queue.release(&QUEUE, worker).await.unwrap();
        assert!(poll(stays.as_mut()).is_pending());
        let id = enqueue(&queue, TaskOptions::default()).await;
        assert!(matches!(poll(refused.as_mut()), Poll::Ready(Err(QueueError::Closed(_)))));
        let Poll::Ready(claimed) = poll(stays.as_mut()) else { panic!("it was not woken") };
        assert_eq!(id_of(&claimed.unwrap()), id);
    }
}

#[tokio::test(start_paused = true)]
async fn the_watch_over_the_clock_passes_on_when_its_holder_is_dropped() {
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    enqueue(&queue, TaskOptions::default().delay(Duration::from_secs(2))).await;
    let watches = dequeue(&queue, claim(LONG)).await;
    let stays = dequeue(&queue, claim(LONG)).await;
    watches.abort();
    id_of(&stays.await.unwrap().unwrap());
    assert_eq!(start.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_claim_ends_empty_when_its_time_is_over() {
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    let claimed = queue.dequeue(claim(Duration::from_secs(17))).await.unwrap();
    assert!(claimed.tasks.is_empty());
    assert_eq!(start.elapsed().as_secs(), 17);
}

#[tokio::test(start_paused = true)]
async fn a_paused_queue_keeps_claims_waiting_and_a_resume_wakes_them() {
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    queue.control(&QUEUE, Command::Pause).await.unwrap();
    let id = enqueue(&queue, TaskOptions::default()).await;
    let worker = dequeue(&queue, claim(LONG)).await;
    queue.control(&QUEUE, Command::Resume).await.unwrap();
    assert_eq!(id_of(&worker.await.unwrap().unwrap()), id);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_release_gives_the_tasks_of_a_dead_worker_to_a_waiting_one_at_once() {
    let (queue, start, dead) = (MemoryQueue::new(), Instant::now(), Incarnation::new());
    let id = enqueue(&queue, TaskOptions::default()).await;
    queue.dequeue(claim_of(dead, 1, LONG)).await.unwrap();
    let worker = dequeue(&queue, claim(LONG)).await;
    assert_eq!(queue.release(&QUEUE, dead).await.unwrap(), 1);
    assert_eq!(id_of(&worker.await.unwrap().unwrap()), id);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_claim_takes_over_from_a_worker_whose_lease_ended_and_nobody_else_calls() {
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    let id = enqueue(&queue, TaskOptions::default()).await;
    queue.dequeue(claim(LONG)).await.unwrap();
    let worker = dequeue(&queue, claim(LONG)).await;
    assert_eq!(id_of(&worker.await.unwrap().unwrap()), id);
    assert_eq!(start.elapsed().as_secs(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_released_worker_that_waits_is_told_at_once() {
    let (queue, worker) = (MemoryQueue::new(), Incarnation::new());
    let claims = dequeue(&queue, claim_of(worker, 1, LONG)).await;
    queue.release(&QUEUE, worker).await.unwrap();
    assert!(matches!(claims.await.unwrap(), Err(QueueError::Closed(closed)) if closed == worker));
}

#[tokio::test(start_paused = true)]
async fn an_idle_claim_that_waits_is_woken_for_a_suspect() {
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    let id = enqueue(&queue, TaskOptions::default()).await;
    let first = Incarnation::new();
    queue.dequeue(claim_of(first, 1, LONG)).await.unwrap();
    queue.release(&QUEUE, first).await.unwrap();
    let second = Incarnation::new();
    queue.dequeue(claim_of(second, 1, LONG)).await.unwrap();
    let waits = dequeue(&queue, claim(LONG)).await;
    queue.release(&QUEUE, second).await.unwrap();
    let claimed = waits.await.unwrap().unwrap();
    assert_eq!(id_of(&claimed), id);
    assert!(claimed.tasks[0].suspect);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_beat_hears_a_cancel_and_a_command_in_the_same_moment() {
    let (queue, start, worker) = (MemoryQueue::new(), Instant::now(), Incarnation::new());
    let id = enqueue(&queue, TaskOptions::default()).await;
    let claim = claim_of(worker, 1, LONG);
    let registration = claim.registration.clone();
    queue.dequeue(claim).await.unwrap();
    let beat = |heard| {
        let mut beat = Heartbeat::new(QUEUE, worker, registration.clone());
        (beat.wait, beat.heard) = (LONG, heard);
        let queue = queue.clone();
        waiting(async move { queue.heartbeat(beat).await.unwrap() })
    };
    let hears = beat(0).await;
    assert_eq!(queue.cancel(&QUEUE, &id).await.unwrap(), CancelAnswer::Requested);
    assert_eq!(hears.await.unwrap().cancel, [(id, Token::new(worker, 1))]);
    let hears = beat(0).await;
    queue.control(&QUEUE, Command::Tell(worker, WorkerCommand::Pause)).await.unwrap();
    let heard = hears.await.unwrap();
    assert_eq!(heard.commands, [WorkerCommand::Pause]);
    let hears = beat(heard.told).await;
    queue.release(&QUEUE, worker).await.unwrap();
    assert!(hears.await.unwrap().closed);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_result_has_it_in_the_moment_it_is_there() {
    let (queue, start, worker) = (MemoryQueue::new(), Instant::now(), Incarnation::new());
    let id = enqueue(&queue, TaskOptions::default()).await;
    let (asked, over) = (id.clone(), queue.clone());
    let waits = waiting(async move { over.wait(&QUEUE, &asked, LONG).await.unwrap() }).await;
    let claimed = queue.dequeue(claim_of(worker, 1, LONG)).await.unwrap();
    let task = claimed.tasks.into_iter().next().unwrap();
    let end = Settlement::new(task, Outcome::Completed { result: vec![0xc3].into() });
    queue.settle(SettleRequest::new(QUEUE, vec![end])).await.unwrap();
    let record = waits.await.unwrap().into_found().unwrap();
    assert_eq!((record.status, record.result.as_deref()), (TaskStatus::Completed, Some(&[0xc3][..])));
    assert_eq!(start.elapsed(), Duration::ZERO);
    let unknown = queue.wait(&QUEUE, &TaskId::new(), LONG).await.unwrap();
    assert_eq!(unknown, Lookup::NotFound, "a task that is not there is answered at once");
}

#[tokio::test(start_paused = true)]
async fn a_result_that_does_not_come_in_time_is_answered_with_what_is_known() {
    let (queue, start) = (MemoryQueue::new(), Instant::now());
    let id = enqueue(&queue, TaskOptions::default()).await;
    let found = queue.wait(&QUEUE, &id, Duration::from_secs(7)).await.unwrap().into_found().unwrap();
    assert_eq!((found.status, start.elapsed().as_secs()), (TaskStatus::Pending, 7));
}

#[tokio::test]
async fn a_purge_of_many_cancels_each_of_them() {
    let queue = MemoryQueue::new();
    for _ in 0..3 {
        let batch = (0..1000).map(|_| message(TaskOptions::default())).collect();
        queue.enqueue(Batch::new(QUEUE, batch)).await.unwrap();
    }
    let answer = queue.control(&QUEUE, Command::Purge).await.unwrap();
    assert_eq!(answer, task_core::ControlAnswer::Done(3000));
    assert_eq!(queue.stats(&QUEUE).await.unwrap().cancelled, 3000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_task_reaches_its_end_when_many_enqueue_and_many_work() {
    let queue = MemoryQueue::new();
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let worker = Incarnation::new();
                for number in 1.. {
                    let mut claim = claim_of(worker, number, LONG);
                    claim.max_tasks = 4;
                    let Ok(claimed) = queue.dequeue(claim).await else { return };
                    let ends = claimed
                        .tasks
                        .into_iter()
                        .map(|task| Settlement::new(task, Outcome::Completed { result: vec![0xc0].into() }));
                    queue.settle(SettleRequest::new(QUEUE, ends.collect())).await.unwrap();
                }
            })
        })
        .collect();
    let apps: Vec<_> = (0..8)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                for _ in 0..250 {
                    let id = enqueue(&queue, TaskOptions::default()).await;
                    let found = queue.wait(&QUEUE, &id, Duration::from_secs(60)).await.unwrap();
                    assert_eq!(found.into_found().unwrap().status, TaskStatus::Completed);
                }
            })
        })
        .collect();
    for app in apps {
        app.await.unwrap();
    }
    workers.iter().for_each(JoinHandle::abort);
    let stats = queue.stats(&QUEUE).await.unwrap();
    assert_eq!((stats.totals.completed, stats.live()), (2000, 0));
}

#[tokio::test]
async fn its_url_takes_no_more_words() {
    assert!(MemoryQueue::accepts("memory:") && !MemoryQueue::accepts("localhost:6379"));
    assert!(MemoryQueue::from_url("memory:").await.is_ok());
    let wrong = MemoryQueue::from_url("memory:?limit=5").await.unwrap_err().to_string();
    assert!(wrong.contains("`memory:?limit=5`"), "{wrong}");
}
