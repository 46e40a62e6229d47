//! What `TaskQueue` adds to a backend: sending again, deadlines, checks, and words for what is not known.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use task_core::{
    BackendInfo, Batch, Capabilities, Claim, Claimed, Durability, EnqueueReply, Enqueued, Heartbeat,
    HeartbeatReply, Incarnation, Lookup, Name, Queue, QueueError, ResultError, ResultMessage, SettleReply,
    SettleRequest, TaskId, TaskMessage, TaskOptions, TaskParams, TaskQueue, TaskStatus, Timestamp,
};

/// What becomes of a call.
#[derive(Clone, Copy)]
enum Fate {
    Fine,
    /// The effect happens, the answer is lost.
    Lost,
    Unreachable,
    Hangs,
    Refused,
    Slow,
    Panics,
}

/// Keeps records by id, and lets each enqueue fare as told; when nothing more is told, the last fate goes on.
#[derive(Clone)]
struct Store(Arc<Mutex<Inner>>);

struct Inner {
    /// Of enqueues.
    fates: Vec<Fate>,
    /// Of lookups, likewise; with none they are fine.
    lookups: Vec<Fate>,
    records: BTreeMap<TaskId, ResultMessage>,
    calls: usize,
}

impl Store {
    fn new(fates: impl IntoIterator<Item = Fate>) -> Self {
        let fates = fates.into_iter().collect();
        Self(Arc::new(Mutex::new(Inner { fates, lookups: Vec::new(), records: BTreeMap::new(), calls: 0 })))
    }

    fn lookups(self, fates: impl IntoIterator<Item = Fate>) -> Self {
        self.0.lock().unwrap().lookups = fates.into_iter().collect();
        self
    }

    fn calls(&self) -> usize {
        self.0.lock().unwrap().calls
    }
}

impl Queue for Store {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        let (fate, reply) = {
            let mut inner = self.0.lock().unwrap();
            inner.calls += 1;
            let fate = if inner.fates.len() > 1 { inner.fates.remove(0) } else { inner.fates[0] };
            let mut answers = Vec::new();
            if matches!(fate, Fate::Fine | Fate::Lost | Fate::Slow) {
                for message in &batch.messages {
                    let there = inner.records.get(&message.id);
                    answers.push(there.map_or(Enqueued::Queued, |record| Enqueued::Exists {
                        status: record.status,
                        same: record.fingerprint == message.fingerprint(),
                    }));
                    let pending = ResultMessage::pending(message, Timestamp::now());
                    inner.records.entry(message.id.clone()).or_insert(pending);
                }
            }
            (fate, EnqueueReply::new(answers, Durability::Process))
        };
        match fate {
            Fate::Fine => Ok(reply),
            Fate::Lost => Err(QueueError::answer_lost("connection reset")),
            Fate::Unreachable => Err(QueueError::unreachable("connection refused")),
            Fate::Refused => Err(QueueError::Refused("wrong password".into())),
            Fate::Hangs => std::future::pending().await,
            Fate::Slow => {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok(reply)
            }
            Fate::Panics => panic!("the backend has a bug"),
        }
    }
    async fn dequeue(&self, _: Claim) -> Result<Claimed, QueueError> {
        Ok(Claimed::default())
    }
    async fn settle(&self, _: SettleRequest) -> Result<SettleReply, QueueError> {
        Ok(SettleReply::new(Vec::new()))
    }
    async fn heartbeat(&self, _: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        Ok(HeartbeatReply::default())
    }
    async fn release(&self, _: &Name, _: Incarnation) -> Result<u64, QueueError> {
        Ok(0)
    }
    async fn result(&self, _: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        let (fate, record) = {
            let mut inner = self.0.lock().unwrap();
            let fate = match inner.lookups.len() {
                0 => Fate::Fine,
                1 => inner.lookups[0],
                _ => inner.lookups.remove(0),
            };
            (fate, inner.records.get(id).cloned())
        };
        match fate {
            Fate::Fine => {}
            Fate::Hangs => std::future::pending().await,
            _ => return Err(QueueError::answer_lost("connection reset")),
        }
        Ok(record.map_or(Lookup::NotFound, Lookup::from))
    }
    async fn info(&self) -> Result<BackendInfo, QueueError> {
        Ok(BackendInfo::new("store", Capabilities::NONE, Durability::Process))
    }
}

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
#[task(output = u32)]
struct Extract {
    source: String,
}

fn extract() -> Extract {
    Extract { source: "a".into() }
}

#[tokio::test(start_paused = true)]
async fn an_enqueue_whose_answer_was_lost_is_sent_again_and_is_in_the_queue_once() {
    let store = Store::new([Fate::Lost, Fate::Unreachable, Fate::Fine]);
    let handle = TaskQueue::new(store.clone()).enqueue(extract()).await.unwrap();
    assert_eq!(handle.status().await.unwrap(), Some(TaskStatus::Pending));
    assert_eq!((store.calls(), store.0.lock().unwrap().records.len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_it_is_told_whether_anything_was_sent() {
    let enqueue = |fate| async move {
        let queue = TaskQueue::new(Store::new([fate])).deadline(Duration::from_secs(2));
        let begun = tokio::time::Instant::now();
        let error = queue.enqueue(extract()).id("order-7".parse().unwrap()).await.unwrap_err();
        assert!(begun.elapsed() <= Duration::from_millis(2_100), "{:?}", begun.elapsed());
        error
    };
    assert!(matches!(enqueue(Fate::Unreachable).await, QueueError::NotSent(_)));
    let unknown =
        |error| matches!(error, QueueError::OutcomeUnknown { id, .. } if id.to_string() == "order-7");
    assert!(unknown(enqueue(Fate::Lost).await));
    assert!(unknown(enqueue(Fate::Hangs).await));
}

#[tokio::test(start_paused = true)]
async fn what_time_does_not_mend_is_not_sent_again() {
    let store = Store::new([Fate::Refused]);
    let error = TaskQueue::new(store.clone()).enqueue(extract()).await.unwrap_err();
    assert!(matches!(error, QueueError::Refused(_)));
    assert_eq!(store.calls(), 1);
}

#[tokio::test]
async fn an_id_that_is_taken_by_other_params_is_a_conflict_and_by_the_same_ones_is_the_task() {
    let store = Store::new([Fate::Fine]);
    let queue = TaskQueue::new(store.clone());
    let id: TaskId = "order-7".parse().unwrap();
    assert!(queue.enqueue(extract()).id(id.clone()).await.unwrap().is_new());
    assert!(!queue.enqueue(extract()).id(id.clone()).await.unwrap().is_new());
    let other = || queue.enqueue(Extract { source: "b".into() }).id(id.clone());
    assert!(matches!(other().await, Err(QueueError::Conflict(_))));
    store.0.lock().unwrap().records.get_mut(&id).unwrap().status = TaskStatus::Failed;
    assert!(matches!(other().await, Err(QueueError::AlreadyThere { status: TaskStatus::Failed, .. })));
}

#[tokio::test]
async fn params_that_are_too_large_are_refused_before_anything_is_sent() {
    let store = Store::new([Fate::Fine]);
    let queue = TaskQueue::new(store.clone()).max_payload(100);
    let large = Extract { source: "x".repeat(101) };
    let error = queue.enqueue(large).await.unwrap_err().to_string();
    assert!(error.contains("`extract` have 111 bytes, and 100 are allowed"), "{error}");
    assert_eq!(store.calls(), 0);
}

#[tokio::test]
async fn many_are_sent_in_few_calls_and_answered_in_their_order() {
    let store = Store::new([Fate::Fine]);
    let queue = TaskQueue::new(store.clone());
    let handles = queue.enqueue_many((0..2_500).map(|i| Extract { source: i.to_string() })).await.unwrap();
    assert_eq!((handles.len(), store.calls()), (2_500, 3));
    assert!(handles.iter().all(task_core::TaskHandle::is_new));
}

#[tokio::test(start_paused = true)]
async fn a_result_says_why_there_is_no_value() {
    let store = Store::new([Fate::Fine]);
    let queue = TaskQueue::new(store.clone());
    let handle = queue.enqueue(extract()).await.unwrap();
    let second = Duration::from_secs(1);
    assert!(matches!(
        handle.result(second).await,
        Err(ResultError::TimedOut { status: TaskStatus::Pending, .. })
    ));
    let set = |status, result: Option<&'static [u8]>| {
        let mut inner = store.0.lock().unwrap();
        let record = inner.records.get_mut(handle.id()).unwrap();
        (record.status, record.result) = (status, result.map(bytes::Bytes::from_static));
    };
    set(TaskStatus::Completed, Some(&[7]));
    assert_eq!(handle.result(second).await.unwrap(), 7);
    set(TaskStatus::Completed, Some(b"\xa1x"));
    assert!(matches!(handle.result(second).await, Err(ResultError::Decode { expected: "u32", .. })));
    set(TaskStatus::Skipped, None);
    assert!(matches!(handle.result(second).await, Err(ResultError::Skipped { .. })));
    let unknown = queue.handle::<Extract>("nobody".parse().unwrap());
    assert!(matches!(unknown.result(second).await, Err(ResultError::NotFound { .. })));
}

#[tokio::test]
async fn what_a_backend_does_not_have_is_answered_with_a_remedy() {
    let queue = TaskQueue::new(Store::new([Fate::Fine]));
    let error = queue.stats(&Name::DEFAULT_QUEUE).await.unwrap_err().to_string();
    assert_eq!(error, "this backend has no statistics; use a backend that has them, such as Redis");
}

/// An importer that sent a thousand tasks was told only that one of them was too large, and none of them came in.
#[tokio::test]
async fn of_many_messages_one_that_is_too_large_is_answered_so_and_the_others_come_in() {
    let store = Store::new([Fate::Fine]);
    let queue = TaskQueue::new(store.clone()).max_payload(100);
    let message = |id: &str, bytes: usize| {
        let params = task_core::encode(&"x".repeat(bytes)).unwrap();
        TaskMessage::new(id.parse().unwrap(), "a", params, TaskOptions::default()).unwrap()
    };
    let messages = vec![message("a", 10), message("b", 1000), message("c", 10)];
    let answers = queue.enqueue_messages(messages).await.unwrap();
    assert!(matches!(answers[0], Ok(Enqueued::Queued)) && matches!(answers[2], Ok(Enqueued::Queued)));
    let error = answers[1].as_ref().unwrap_err().to_string();
    assert!(error.contains("1003 bytes, and 100 are allowed"), "{error}");
    assert_eq!(store.0.lock().unwrap().records.len(), 2);
}

/// A thousand messages of a megabyte in one call hold the server up for everyone, and some refuse so large a call.
#[tokio::test]
async fn many_messages_travel_in_calls_of_about_a_megabyte() {
    let store = Store::new([Fate::Fine]);
    let messages = ["a", "b", "c"].map(|id| {
        let params = task_core::encode(&"x".repeat(600_000)).unwrap();
        TaskMessage::new(id.parse().unwrap(), "a", params, TaskOptions::default()).unwrap()
    });
    let answers = TaskQueue::new(store.clone()).enqueue_messages(messages.to_vec()).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Enqueued::Queued))));
    assert_eq!(store.calls(), 3);
}

/// Under an outage each full batch waited a deadline of its own, one after the other, so that an enqueue of many that
/// were awaited together was told after minutes what it should have been told within seconds.
#[tokio::test(start_paused = true)]
async fn however_many_wait_each_is_told_within_twice_the_deadline() {
    for fate in [Fate::Unreachable, Fate::Hangs] {
        let queue = TaskQueue::new(Store::new([fate])).deadline(Duration::from_secs(2));
        let begun = tokio::time::Instant::now();
        let all = futures_util::future::join_all((0..5_000).map(|_| queue.enqueue(extract()).into_future()));
        assert!(all.await.iter().all(Result::is_err));
        assert!(begun.elapsed() <= Duration::from_millis(4_100), "{:?}", begun.elapsed());
    }
}

/// A task that this very call brought in was told to be another's, since its first answer was lost.
#[tokio::test(start_paused = true)]
async fn a_task_with_a_fresh_id_is_new_also_after_a_lost_answer() {
    let queue = TaskQueue::new(Store::new([Fate::Lost, Fate::Fine]));
    assert!(queue.enqueue(extract()).await.unwrap().is_new());
    let queue = TaskQueue::new(Store::new([Fate::Lost, Fate::Fine]));
    assert!(
        queue.enqueue_many([extract(), extract()]).await.unwrap().iter().all(task_core::TaskHandle::is_new)
    );
}

/// A call that was carried out and whose answer was lost was told as refused, because the server refused the next one.
#[tokio::test(start_paused = true)]
async fn what_may_be_enqueued_is_not_told_as_refused() {
    let error = TaskQueue::new(Store::new([Fate::Lost, Fate::Refused])).enqueue(extract()).await.unwrap_err();
    assert!(matches!(error, QueueError::OutcomeUnknown { .. }), "{error}");
}

/// An importer was told for each of a thousand tasks that the outcome of the first one was not known.
#[tokio::test(start_paused = true)]
async fn of_many_messages_each_is_told_its_own_id() {
    let messages = ["a", "b", "c"]
        .map(|id| TaskMessage::new(id.parse().unwrap(), "a", vec![0xc0], TaskOptions::default()).unwrap());
    let queue = TaskQueue::new(Store::new([Fate::Lost])).deadline(Duration::from_secs(2));
    let answers = queue.enqueue_messages(messages.to_vec()).await.unwrap();
    for (message, answer) in messages.iter().zip(answers) {
        assert!(matches!(answer, Err(QueueError::OutcomeUnknown { id, .. }) if id == message.id));
    }
}

/// An import of a million lines went on for three quarters of an hour after the queue had gone.
#[tokio::test(start_paused = true)]
async fn of_many_messages_those_after_a_call_that_was_given_up_are_not_sent() {
    let store = Store::new([Fate::Hangs]);
    let queue = TaskQueue::new(store.clone()).deadline(Duration::from_secs(2));
    let begun = tokio::time::Instant::now();
    let message = || TaskMessage::new(TaskId::new(), "a", vec![0xc0], TaskOptions::default()).unwrap();
    let answers = queue.enqueue_messages((0..9_000).map(|_| message()).collect()).await.unwrap();
    assert!(begun.elapsed() <= Duration::from_millis(2_100), "{:?}", begun.elapsed());
    let unknown = |answer: &&_| matches!(answer, Err::<Enqueued, _>(QueueError::OutcomeUnknown { .. }));
    let not_sent = |answer: &&_| matches!(answer, Err::<Enqueued, _>(QueueError::NotSent(_)));
    assert_eq!(
        (answers.iter().filter(unknown).count(), answers.iter().filter(not_sent).count()),
        (4_000, 5_000)
    );
}

/// Who wanted to wait without end wrote `Duration::MAX`, and that panicked.
#[tokio::test(start_paused = true)]
async fn the_longest_durations_are_no_overflow() {
    let queue = TaskQueue::new(Store::new([Fate::Fine])).deadline(Duration::MAX);
    let handle = queue.enqueue(extract()).await.unwrap();
    assert_eq!(handle.status().await.unwrap(), Some(TaskStatus::Pending));
    assert!(tokio::time::timeout(Duration::from_secs(60), handle.result(Duration::MAX)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_result_is_asked_for_again_after_a_lost_answer_and_not_for_ever() {
    let second = Duration::from_secs(1);
    let asked = |fates: Vec<Fate>, timeout| async move {
        let queue = TaskQueue::new(Store::new([Fate::Fine]).lookups(fates)).deadline(10 * second);
        let handle = queue.enqueue(extract()).await.unwrap();
        let begun = tokio::time::Instant::now();
        (handle.result(timeout).await.unwrap_err(), begun.elapsed())
    };
    // one broken connection made a glance fail that would have been answered at once
    let (error, took) = asked(vec![Fate::Lost, Fate::Fine], Duration::ZERO).await;
    assert!(matches!(error, ResultError::TimedOut { .. }) && took < second, "{error} after {took:?}");
    let (error, took) = asked(vec![Fate::Lost], second).await;
    assert!(matches!(error, ResultError::Queue(_)) && took <= 11 * second, "{error} after {took:?}");
    // a connection that says nothing any more held a request up for ever
    let (error, took) = asked(vec![Fate::Hangs], second).await;
    assert!(matches!(error, ResultError::Queue(_)) && took <= 12 * second, "{error} after {took:?}");
}

/// One panic of a backend made every later enqueue panic, and some of those who waited for the same call wait for ever.
#[tokio::test(start_paused = true)]
async fn a_backend_that_panics_is_an_error_for_all_who_wait_for_that_call_and_for_no_other() {
    let store = Store::new([Fate::Slow, Fate::Panics, Fate::Fine]);
    let queue = TaskQueue::new(store.clone());
    let enqueue = || async { queue.enqueue(extract()).await };
    let (first, second, third) = tokio::join!(enqueue(), enqueue(), enqueue());
    first.unwrap();
    for answer in [second, third] {
        let error = answer.unwrap_err();
        assert!(error.to_string().contains("panicked") && !error.is_transient(), "{error}");
    }
    enqueue().await.unwrap();
    assert_eq!(store.calls(), 3);
}

/// A message joins others when its future is polled: one that never was must not travel in their company.
#[tokio::test(start_paused = true)]
async fn an_enqueue_that_is_never_awaited_is_not_sent_with_others() {
    let store = Store::new([Fate::Slow, Fate::Fine]);
    let queue = TaskQueue::new(store.clone());
    let enqueue = || queue.enqueue(extract()).into_future();
    let (first, never, second) = (enqueue(), enqueue(), enqueue());
    let (first, second) = tokio::join!(first, second);
    let mut awaited = [first.unwrap().id().clone(), second.unwrap().id().clone()];
    awaited.sort();
    assert_eq!(store.0.lock().unwrap().records.keys().cloned().collect::<Vec<_>>(), awaited);
    drop(never);
}
