//! Group commit: enqueues that are awaited at the same time travel together.
//!
//! While nothing is on the wire, an enqueue is sent at once. While a batch is on the wire, those that come gather in
//! the next one, which leaves when the first is answered. There is no task in the background: a batch is a shared
//! future, which each of its waiters drives and which drives the one before it. So it goes on when the waiter that
//! began it is dropped. Only those who wait own it, for it or for one behind it: when all have left, what was not on its way
//! is not sent later, in the company of others.
//!
//! Whoever drives is woken by each step of what it drives. So only those who wait for the batch on the wire or for the next
//! one do, and an enqueue costs no more however many wait behind them. Those rely on them as long as anything is heard; then
//! one after another drives, too, since the others may have left, or be futures that are kept and not polled any more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use tokio::{
    sync::Semaphore,
    task::unconstrained,
    time::{Instant, timeout_at},
};

use crate::{Batch, EnqueueReply, Enqueued, Name, QueueError, TaskMessage};

/// How a batch is sent; its deadline counts from the moment.
pub(super) type Send = Arc<
    dyn Fn(Batch, Instant) -> BoxFuture<'static, Result<EnqueueReply, QueueError>> + std::marker::Send + Sync,
>;

/// The answers to a batch, shared by all that wait for it.
type Answer = Arc<Result<EnqueueReply, QueueError>>;
type Sending = BoxFuture<'static, Answer>;

/// Gathers what is enqueued at the same time.
pub(super) struct Gather {
    open: Mutex<HashMap<Name, Open>>,
    /// So long those who wait rely on others.
    patience: Duration,
}

/// The batch that the next message of a named queue joins.
struct Open {
    gathered: Weak<Mutex<Option<Gathered>>>,
    sending: WeakShared<Sending>,
    over: Arc<Over>,
    before: Option<Arc<Over>>,
    /// The one before that: once this is over, the one before is on the wire, and those who wait for this one drive both.
    near: Option<Arc<Over>>,
    heard: Arc<Heard>,
}

/// Where a message is.
struct Joined {
    sending: Shared<Sending>,
    place: usize,
    near: Option<Arc<Over>>,
    heard: Arc<Heard>,
}

/// Whether a batch was answered, or given up by all who waited for it. It has no permits, and is closed then.
struct Over(Semaphore);

impl Over {
    fn not_yet() -> Arc<Self> {
        Arc::new(Self(Semaphore::new(0)))
    }

    /// Until it is over, or nothing was heard for so long.
    async fn or_silence(&self, heard: &Heard, patience: Duration) {
        loop {
            let last = heard.last();
            if timeout_at(last + patience, self.0.acquire()).await.is_ok() || heard.take_over(last) {
                return;
            }
        }
    }
}

/// Says so when it is dropped.
struct IsOver(Arc<Over>, Arc<Heard>);

impl Drop for IsOver {
    fn drop(&mut self) {
        self.1.now();
        self.0.0.close();
    }
}

/// When one of the batches that wait for each other was over, or somebody began to drive them.
struct Heard(Mutex<Instant>);

impl Heard {
    fn now(&self) {
        *lock(&self.0) = Instant::now();
    }

    fn last(&self) -> Instant {
        *lock(&self.0)
    }

    /// Whether nothing was heard since; then it was now, so that one takes over at a time.
    fn take_over(&self, last: Instant) -> bool {
        let mut heard = lock(&self.0);
        let silent = *heard == last;
        if silent {
            *heard = Instant::now();
        }
        silent
    }
}

/// What has not left yet.
struct Gathered {
    messages: Vec<TaskMessage>,
    bytes: usize,
    /// When the last message came: each has its deadline whole, also where the batch before takes long.
    joined: Instant,
}

/// A batch leaves with at most so many bytes of params, so that no call holds up the server.
pub(super) const MAX_BYTES: usize = 1 << 20;

impl Gathered {
    fn new(message: TaskMessage) -> Self {
        Self { bytes: size(&message), messages: vec![message], joined: Instant::now() }
    }

    fn has_room(&self, message: &TaskMessage) -> bool {
        self.messages.len() < Batch::MAX && self.bytes + size(message) <= MAX_BYTES
    }

    /// Answers its place.
    fn add(&mut self, message: TaskMessage) -> usize {
        self.bytes += size(&message);
        self.joined = Instant::now();
        self.messages.push(message);
        self.messages.len() - 1
    }
}

fn size(message: &TaskMessage) -> usize {
    message.params.len() + 200
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gather {
    /// For calls that have so long.
    pub(super) fn new(deadline: Duration) -> Self {
        // a quarter of it, so that what is sent then has most of it left
        Self { open: Mutex::default(), patience: (deadline / 4).min(Duration::from_secs(1)) }
    }

    /// Joins those that others send now; what is answered sends them, and has the answer to this one.
    pub(super) fn enqueue(
        &self,
        message: TaskMessage,
        send: &Send,
    ) -> impl Future<Output = Result<Enqueued, QueueError>> + std::marker::Send + use<> {
        let Joined { sending, place, near, heard } = self.join(message, send);
        let patience = self.patience;
        async move {
            if let Some(near) = near {
                // where one task waits for all of them, it would run out of its budget and look at all of the rest again
                unconstrained(near.or_silence(&heard, patience)).await;
            }
            match &*sending.await {
                Ok(reply) => reply.answers.get(place).cloned().ok_or_else(|| {
                    QueueError::Corrupt(format!("the backend gave no answer to message {place}"))
                }),
                Err(error) => Err(error.shared()),
            }
        }
    }

    fn join(&self, message: TaskMessage, send: &Send) -> Joined {
        let mut open = lock(&self.open);
        let (mut before, mut over_before, mut near, mut heard) = (None, None, None, None);
        if let Some(batch) = open.get(&message.queue)
            && let Some(sending) = batch.sending.upgrade()
        {
            let gathered = batch.gathered.upgrade();
            let mut gathered = gathered.as_deref().map(lock);
            match gathered.as_deref_mut().and_then(Option::as_mut) {
                Some(gathered) if gathered.has_room(&message) => {
                    let (near, heard) = (batch.near.clone(), batch.heard.clone());
                    return Joined { sending, place: gathered.add(message), near, heard };
                }
                _ => {
                    before = Some(sending);
                    (over_before, near) = (Some(batch.over.clone()), batch.before.clone());
                    heard = Some(batch.heard.clone());
                }
            }
        }
        // queues that were used once are not remembered for ever
        if open.len() >= 64 {
            open.retain(|_, batch| batch.sending.upgrade().is_some());
        }
        let queue = message.queue.clone();
        let gathered = Arc::new(Mutex::new(Some(Gathered::new(message))));
        let weak = Arc::downgrade(&gathered);
        let (send, name) = (send.clone(), queue.clone());
        let heard = heard.unwrap_or_else(|| Arc::new(Heard(Mutex::new(Instant::now()))));
        let over = Over::not_yet();
        let is_over = IsOver(over.clone(), heard.clone());
        let sending = async move {
            let _is_over = is_over;
            if let Some(before) = before {
                before.await;
            }
            let leaving = lock(&gathered).take();
            let (messages, joined) =
                leaving.map_or_else(|| (Vec::new(), Instant::now()), |left| (left.messages, left.joined));
            Arc::new(send(Batch::new(name, messages), joined).await)
        };
        let sending = sending.boxed().shared();
        if let Some(weak_sending) = sending.downgrade() {
            let (near, heard) = (near.clone(), heard.clone());
            let next = Open { gathered: weak, sending: weak_sending, over, before: over_before, near, heard };
            open.insert(queue, next);
        }
        Joined { sending, place: 0, near, heard }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
    use tokio::{
        sync::Semaphore,
        time::{sleep, sleep_until, timeout},
    };

    use super::*;
    use crate::{Durability, TaskId, TaskOptions, TaskQueue};

    fn message() -> TaskMessage {
        TaskMessage::new(TaskId::new(), "a", vec![0xc0], TaskOptions::default()).unwrap()
    }

    /// As it is awaited, and no sooner.
    async fn enqueue(gather: &Gather, message: TaskMessage, send: &Send) -> Result<Enqueued, QueueError> {
        gather.enqueue(message, send).await
    }

    /// Counts batches, and answers one a permit.
    fn counted(permits: &Arc<Semaphore>, sent: &Arc<Mutex<Vec<usize>>>) -> Send {
        let (permits, sent) = (permits.clone(), sent.clone());
        Arc::new(move |batch: Batch, _| {
            let (permits, sent) = (permits.clone(), sent.clone());
            async move {
                sent.lock().unwrap().push(batch.messages.len());
                permits.acquire().await.unwrap().forget();
                Ok(EnqueueReply::new(vec![Enqueued::Queued; batch.messages.len()], Durability::Process))
            }
            .boxed()
        })
    }

    #[tokio::test]
    async fn what_comes_while_a_batch_is_on_the_wire_gathers_in_the_next() {
        let (permits, sent) = (Arc::new(Semaphore::new(0)), Arc::default());
        let (gather, send) = (Gather::new(TaskQueue::DEADLINE), counted(&permits, &sent));
        let all = join_all((0..100).map(|_| enqueue(&gather, message(), &send)));
        let (answers, ()) = tokio::join!(all, async { permits.add_permits(2) });
        assert!(answers.into_iter().all(|a| a.unwrap() == Enqueued::Queued));
        assert_eq!(*sent.lock().unwrap(), [1, 99]);
    }

    #[tokio::test]
    async fn a_batch_goes_on_when_the_one_that_began_it_is_dropped() {
        let (permits, sent) = (Arc::new(Semaphore::new(0)), Arc::default());
        let (gather, send) = (Gather::new(TaskQueue::DEADLINE), counted(&permits, &sent));
        let mut first = Box::pin(enqueue(&gather, message(), &send));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(enqueue(&gather, message(), &send));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        permits.add_permits(2);
        assert_eq!(second.await.unwrap(), Enqueued::Queued);
        assert_eq!(sent.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn an_error_reaches_each_that_waits_and_not_the_next_batch() {
        let failures = Arc::new(AtomicUsize::new(0));
        let send: Send = Arc::new(move |batch: Batch, _| {
            let first = failures.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                tokio::task::yield_now().await;
                if first {
                    return Err(QueueError::invalid("no"));
                }
                Ok(EnqueueReply::new(vec![Enqueued::Queued; batch.messages.len()], Durability::Process))
            }
            .boxed()
        });
        let gather = Gather::new(TaskQueue::DEADLINE);
        let answers = join_all((0..3).map(|_| enqueue(&gather, message(), &send))).await;
        let ok: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(ok, [false, true, true]);
    }

    /// A request that had given up, and told its user so, was sent an hour later together with the next one.
    #[tokio::test]
    async fn what_all_have_left_is_not_sent_with_what_comes_later() {
        let (permits, sent) = (Arc::new(Semaphore::new(0)), Arc::default());
        let (gather, send) = (Gather::new(TaskQueue::DEADLINE), counted(&permits, &sent));
        let mut on_its_way = Box::pin(enqueue(&gather, message(), &send));
        let mut gathered = Box::pin(enqueue(&gather, message(), &send));
        assert!((&mut on_its_way).now_or_never().is_none() && (&mut gathered).now_or_never().is_none());
        drop((on_its_way, gathered));
        permits.add_permits(2);
        enqueue(&gather, message(), &send).await.unwrap();
        assert_eq!(*sent.lock().unwrap(), [1, 1]);
    }

    /// Each of a storm of retries of one task had a batch of its own, which drove all before it, one inside the other,
    /// until the stack was full.
    #[tokio::test]
    async fn many_of_one_id_share_a_batch() {
        let (permits, sent) = (Arc::new(Semaphore::new(0)), Arc::default());
        let (gather, send) = (Gather::new(TaskQueue::DEADLINE), counted(&permits, &sent));
        let again = message();
        let all = join_all((0..1001).map(|_| enqueue(&gather, again.clone(), &send)));
        tokio::join!(all, async { permits.add_permits(2) });
        assert_eq!(*sent.lock().unwrap(), [1, 1000]);
    }

    /// Each that waited was woken by each step of each batch before its own, and looked at all of them: 100,000 at once
    /// took 30 times as long, each, as 1,000.
    #[tokio::test(start_paused = true)]
    async fn however_many_wait_each_is_woken_a_few_times() {
        let send: Send = Arc::new(|batch: Batch, _| {
            async move {
                for _step in 0..5 {
                    sleep(Duration::from_millis(20)).await;
                }
                Ok(EnqueueReply::new(vec![Enqueued::Queued; batch.messages.len()], Durability::Process))
            }
            .boxed()
        });
        let (gather, polls, all) = (Gather::new(TaskQueue::DEADLINE), AtomicUsize::new(0), 30 * Batch::MAX);
        let waiting = (0..all).map(|_| {
            let mut one = Box::pin(enqueue(&gather, message(), &send));
            poll_fn({
                let polls = &polls;
                move |cx| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    one.poll_unpin(cx)
                }
            })
        });
        let answers = waiting.collect::<FuturesUnordered<_>>().collect::<Vec<_>>().await;
        assert!(answers.iter().all(Result::is_ok));
        let polls = polls.into_inner();
        assert!(polls < 40 * all, "{polls} polls");
    }

    #[tokio::test(start_paused = true)]
    async fn an_enqueue_does_not_hang_behind_many_that_are_kept_and_not_polled() {
        let (permits, sent) = (Arc::new(Semaphore::new(0)), Arc::default());
        let (gather, send) = (Gather::new(TaskQueue::DEADLINE), counted(&permits, &sent));
        let mut kept: Vec<_> =
            (0..5 * Batch::MAX).map(|_| Box::pin(enqueue(&gather, message(), &send))).collect();
        assert!(kept.iter_mut().all(|one| one.now_or_never().is_none()));
        permits.add_permits(9);
        let one = enqueue(&gather, message(), &send);
        timeout(Duration::from_secs(5), one).await.expect("it hangs").unwrap();
        assert_eq!(sent.lock().unwrap().iter().sum::<usize>(), kept.len() + 1);
        assert!(join_all(kept).await.iter().all(Result::is_ok));
    }

    /// When all had left that drove, those behind them each waited a second for them anew, and whoever waits no longer than
    /// that never drove: the queue stood still for as long as anybody used it.
    #[tokio::test(start_paused = true)]
    async fn callers_who_give_up_soon_do_not_keep_a_queue_from_going_on() {
        let (permits, sent) = (Arc::new(Semaphore::new(0)), Arc::default());
        let (gather, send) = (Gather::new(TaskQueue::DEADLINE), counted(&permits, &sent));
        let mut drive: Vec<_> =
            (0..1 + Batch::MAX).map(|_| Box::pin(enqueue(&gather, message(), &send))).collect();
        assert!(drive.iter_mut().all(|one| one.now_or_never().is_none()));
        let (mut live, mut done) = (FuturesUnordered::new(), 0);
        for turn in 0..10 {
            // before the last has left
            live.push(Box::pin(timeout(Duration::from_millis(500), enqueue(&gather, message(), &send))));
            if turn == 1 {
                drive.clear();
                permits.add_permits(100);
            }
            let until = Instant::now() + Duration::from_millis(400);
            while let Ok(Some(answer)) = timeout_at(until, live.next()).await {
                done += usize::from(answer.is_ok());
            }
            sleep_until(until).await;
        }
        assert!(done >= 5, "{done} of 10");
    }
}
