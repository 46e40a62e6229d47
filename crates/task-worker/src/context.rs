use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use serde::Serialize;
use task_core::{
    Delivery, Enqueue, Incarnation, Name, Payload, Progress, ResultMessage, TaskId, TaskMessage, TaskOptions,
    TaskParams, TaskQueue, Timestamp, Token,
};

use crate::{follow_up::FollowUps, signal::Signal};

/// What a running task knows of itself: a cheap, cloneable handle.
#[derive(Clone)]
pub struct TaskContext(Arc<Inner>);

struct Inner {
    delivery: Arc<Delivery>,
    /// Where its follow-ups go; nowhere, outside of a worker.
    to: Option<TaskQueue>,
    /// Known from its start on.
    deadline: OnceLock<Option<Instant>>,
    signal: Signal,
    /// Most tasks have none of these.
    progress: Mutex<Option<Box<Progress>>>,
    follow_ups: OnceLock<Box<FollowUps>>,
    enqueued: AtomicU32,
}

static NO_HEADERS: BTreeMap<String, String> = BTreeMap::new();

tokio::task_local! {
    static CURRENT: TaskContext;
}

impl TaskContext {
    /// A context outside any queue, for tests: a fresh id, attempt 1, never cancelled unless by
    /// [`cancel`](Self::cancel). What is enqueued through it is kept in [`follow_ups`](Self::follow_ups) alone.
    pub fn detached() -> Self {
        Self::with_params(Bytes::from_static(&[0xc0])) // nothing, in MessagePack
    }

    /// The same, with these params.
    pub(crate) fn with_params(params: impl Into<Bytes>) -> Self {
        let message = TaskMessage::new(TaskId::new(), "detached", params, TaskOptions::default());
        let message = message.expect("a message with nothing said of it is none that can't be");
        let mut record = ResultMessage::pending(&message, Timestamp::now());
        record.attempts = 1;
        let token = Token::new(Incarnation::new(), 1);
        Self::of(Delivery::with_message(token, Ok(message), record).into(), None)
    }

    /// The context of an attempt.
    pub(crate) fn of(delivery: Arc<Delivery>, to: Option<TaskQueue>) -> Self {
        Self(Arc::new(Inner {
            delivery,
            to,
            deadline: OnceLock::new(),
            signal: Signal::default(),
            progress: Mutex::default(),
            follow_ups: OnceLock::new(),
            enqueued: AtomicU32::new(0),
        }))
    }

    /// What it runs.
    pub(crate) fn delivery(&self) -> &Arc<Delivery> {
        &self.0.delivery
    }

    /// What the task was given, as MessagePack.
    pub(crate) fn params(&self) -> &Bytes {
        static NONE: Bytes = Bytes::new();
        self.0.delivery.message.as_ref().map_or(&NONE, |message| &message.params)
    }

    /// The task's id.
    pub fn id(&self) -> &TaskId {
        &self.0.delivery.record.id
    }

    /// The name that it was enqueued under: its own, or a former one.
    pub fn name(&self) -> &Name {
        &self.0.delivery.record.task
    }

    /// The named queue that it came from.
    pub fn queue_name(&self) -> &Name {
        &self.0.delivery.record.queue
    }

    /// Which attempt this is, from 1; crashed ones and those given back count too.
    pub fn attempt(&self) -> u32 {
        self.0.delivery.record.attempts
    }

    /// When its timeout ends the attempt, if it has one.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline.get().copied().flatten()
    }

    /// What the enqueuer sent along.
    pub fn headers(&self) -> &BTreeMap<String, String> {
        self.0.delivery.message.as_ref().map_or(&NO_HEADERS, |message| &message.headers)
    }

    /// Whether the attempt should stop: a cancel was asked for, its timeout is over, the worker stops at once, or it has
    /// lost the task to another. For loops of blocking code; they then return [`TaskError::cancelled`](task_core::TaskError::cancelled).
    pub fn is_cancelled(&self) -> bool {
        self.0.signal.is_cancelled()
    }

    /// Waits until the attempt should stop. An async task that goes on is dropped after a grace of a few seconds.
    ///
    /// # Cancel safety
    /// Safe: use it in a `select!`.
    pub async fn cancelled(&self) {
        self.0.signal.cancelled().await;
    }

    /// Asks the attempt to stop, as the worker does when somebody cancels the task: for tests of code that heeds it.
    pub fn cancel(&self) {
        self.0.signal.cancel();
    }

    /// Tells how far the task is, from 0 to 1, with a note of at most 200 bytes. Costs nothing: the last one goes out
    /// with the worker's next heartbeat.
    pub fn progress(&self, fraction: f32, note: impl Into<String>) {
        let progress = Progress::new(fraction, note, Timestamp::now());
        *self.0.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress.into());
    }

    /// A follow-up: a task that is enqueued if this one succeeds, after its run and before it is COMPLETED.
    ///
    /// Awaiting it only notes it. Its id follows from this task's id and the number of the follow-up, so that a retry of
    /// this task, or a resend, enqueues nothing twice; let a task enqueue its follow-ups in the same order each time.
    /// The handle that it gives knows the task only once this one has ended.
    ///
    /// ```
    /// # use task_worker::prelude::*;
    /// #[task]
    /// async fn order(id: u64, ctx: TaskContext) -> TaskResult {
    ///     ctx.enqueue(Mail { order: id }).queue("mail").await?;
    ///     Ok(())
    /// }
    ///
    /// #[task]
    /// async fn mail(order: u64) {}
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let ctx = TaskContext::detached();
    /// order(7, ctx.clone()).await?;
    /// assert_eq!(ctx.follow_ups()[0].name, "mail");
    /// # Ok(())
    /// # }
    /// ```
    pub fn enqueue<P: TaskParams>(&self, params: P) -> Enqueue<P::Output> {
        self.follow(self.kept().queue().enqueue(params))
    }

    /// The same by name, where there is no type for its params.
    pub fn enqueue_named<T: Payload>(
        &self,
        name: impl Into<Cow<'static, str>>,
        params: &(impl Serialize + ?Sized),
    ) -> Enqueue<T> {
        self.follow(self.kept().queue().enqueue_named(name, params))
    }

    fn follow<T>(&self, enqueue: Enqueue<T>) -> Enqueue<T> {
        let number = self.0.enqueued.fetch_add(1, Ordering::Relaxed);
        enqueue.id(self.kept().id(number))
    }

    fn kept(&self) -> &FollowUps {
        self.0.follow_ups.get_or_init(|| FollowUps::of(&self.0.delivery, self.0.to.clone()).into())
    }

    /// The follow-ups that were awaited so far, in their order.
    pub fn follow_ups(&self) -> Vec<TaskMessage> {
        self.0.follow_ups.get().map_or_else(Vec::new, |follow_ups| follow_ups.messages())
    }

    pub(crate) fn has_follow_ups(&self) -> bool {
        self.0.follow_ups.get().is_some_and(|follow_ups| !follow_ups.is_empty())
    }

    /// The attempt starts now.
    pub(crate) fn begin(&self, deadline: Option<Instant>) {
        let _ = self.0.deadline.set(deadline); // an attempt starts once
    }

    /// The progress told since the last call.
    pub(crate) fn take_progress(&self) -> Option<Progress> {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).take().map(|progress| *progress)
    }

    /// Keeps a progress that could not be sent, unless there is a newer one.
    pub(crate) fn keep_progress(&self, progress: Progress) {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| progress.into());
    }

    /// The context of the attempt that this code runs in, if a worker runs it.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Runs an attempt so that [`current`](Self::current) knows it.
    pub(crate) fn scope<F: Future>(self, attempt: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, attempt)
    }

    /// Counts a thread with blocking code of this attempt until the guard is dropped.
    pub(crate) fn enter_thread(&self) -> impl Send + use<> {
        struct Thread(TaskContext);
        impl Drop for Thread {
            fn drop(&mut self) {
                self.0.signal().thread_ends();
            }
        }
        self.signal().thread_begins();
        Thread(self.clone())
    }

    pub(crate) fn signal(&self) -> &Signal {
        &self.0.signal
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("id", self.id())
            .field("name", self.name())
            .field("queue", self.queue_name())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
