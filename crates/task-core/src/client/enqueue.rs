use std::{
    borrow::Cow,
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    time::Duration,
};

use futures_util::{TryFutureExt as _, future::lazy};

use crate::{QueueError, RetryPolicy, TaskHandle, TaskId, TaskMessage, TaskOptions, TaskQueue, Timestamp};

/// A task about to be enqueued; `T` is what it returns. Nothing is sent until it is awaited.
///
/// # Errors
/// [`QueueError::Invalid`] for params or options that can't be, [`QueueError::Full`], [`QueueError::Conflict`] and
/// [`QueueError::AlreadyThere`] for an id that is taken by a task with other params, [`QueueError::NotSent`] or
/// [`QueueError::OutcomeUnknown`] if the queue did not answer within the deadline, [`QueueError::Refused`].
///
/// # Cancel safety
/// A dropped future recalls nothing: the task may be enqueued or not. To know, give it an id of your own.
#[must_use = "a task is enqueued only when this is awaited"]
pub struct Enqueue<T> {
    queue: TaskQueue,
    name: Cow<'static, str>,
    params: Result<Vec<u8>, QueueError>,
    id: Option<TaskId>,
    options: TaskOptions,
    parent: Option<(TaskId, TaskId)>,
    output: PhantomData<fn() -> T>,
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*);)*) => {$(
        $(#[$doc])*
        pub fn $name(mut self, $($arg: $ty),*) -> Self {
            self.options = self.options.$name($($arg),*);
            self
        }
    )*};
}

impl<T> Enqueue<T> {
    pub(super) fn new(
        queue: TaskQueue,
        name: Cow<'static, str>,
        params: Result<Vec<u8>, QueueError>,
        options: TaskOptions,
    ) -> Self {
        Self { queue, name, params, id: None, options, parent: None, output: PhantomData }
    }

    /// With this id, so that to enqueue it again is the same as to enqueue it once.
    pub fn id(self, id: TaskId) -> Self {
        Self { id: Some(id), ..self }
    }

    options! {
        /// Into this named queue; default `tasks`.
        queue(name: impl Into<Cow<'static, str>>);
        /// 0 to 100, the highest first; default 50.
        priority(priority: u8);
        /// Starts so long after it was enqueued, by the backend's clock.
        delay(delay: Duration);
        /// Starts at that time.
        at(time: impl Into<Timestamp>);
        /// Is cancelled unless it has started so long after it was enqueued.
        expires(after: Duration);
        /// Is cancelled unless it has started by that time.
        expires_at(time: impl Into<Timestamp>);
        /// Holds this key until it is final. While a live task of its name in its queue holds it, that one is answered
        /// instead, and [`TaskHandle::is_new`] is false.
        unique(key: impl Into<String>);
        /// The same among all tasks of its queue.
        unique_in_queue(key: impl Into<String>);
        /// How often a failed attempt is tried again; default 3.
        max_retries(retries: u32);
        /// How many times its worker may die under it before it fails; default 3; 0 means at most once.
        max_crashes(crashes: u8);
        /// The wait before each retry; default 1 s, doubling to 10 min, with full jitter.
        backoff(policy: RetryPolicy);
        /// The longest an attempt may take; default: no limit.
        timeout(timeout: Duration);
        /// How long its result is kept from its end; default 24 h, 7 days if it FAILED.
        retention(retention: Duration);
        /// One more header for the task to read.
        header(name: impl Into<String>, value: impl Into<String>);
    }

    /// All options at once, over those that its kind has.
    pub fn options(mut self, change: impl FnOnce(TaskOptions) -> TaskOptions) -> Self {
        self.options = change(self.options);
        self
    }

    /// As a follow-up of a task: its parent, and the task at the root of the chain.
    #[doc(hidden)]
    pub fn follows(self, parent: TaskId, root: TaskId) -> Self {
        Self { parent: Some((parent, root)), ..self }
    }

    /// The message that would be sent, without sending it.
    ///
    /// # Errors
    /// [`QueueError::Invalid`] for params or options that can't be.
    pub fn into_message(self) -> Result<TaskMessage, QueueError> {
        let mut message =
            TaskMessage::new(self.id.unwrap_or_else(TaskId::new), self.name, self.params?, self.options)?;
        if let Some((parent, root)) = self.parent {
            message.parent = Some(parent);
            message.root = Some(root);
        }
        Ok(message)
    }
}

// No bound on `T`: a mistake in the params is then reported once, where they are given.
impl<T> IntoFuture for Enqueue<T> {
    type Output = Result<TaskHandle<T>, QueueError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let (queue, fresh) = (self.queue.clone(), self.id.is_none());
        let message = self.into_message();
        let sending = queue.clone();
        let sent = lazy(move |_| message.map(|message| sending.send_one(message, fresh))).try_flatten();
        Box::pin(sent.map_ok(|(name, id, new)| TaskHandle::new(queue, name, id, new)))
    }
}

impl<T> fmt::Debug for Enqueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enqueue")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
