use std::{borrow::Cow, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::join_all};
use serde::Serialize;
use tokio::time::Instant;

use super::{
    gather::{self, Gather},
    resend::{GaveUp, resend},
};
use crate::{
    Batch, Enqueue, EnqueueReply, Enqueued, Name, Payload, Queue, QueueError, TaskHandle, TaskId,
    TaskMessage, TaskOptions, TaskParams, encode, erased::DynQueue, error::BoxError,
};

/// A queue to enqueue on and to read results from: a cheap, cloneable handle on any backend.
///
/// What it does beyond the backend: it encodes and checks params, sends a call again after a lost answer until its
/// deadline (10 s unless set), and sends enqueues that are awaited at the same time together. One that comes while
/// others are on their way waits for these first, so that it may take up to twice the deadline.
///
/// As a [`Queue`] itself it passes each call on to the backend as it is.
#[derive(Clone)]
pub struct TaskQueue(Arc<Shared>);

struct Shared {
    backend: Arc<dyn DynQueue>,
    limits: Limits,
    gather: Gather,
    send: gather::Send,
}

#[derive(Clone, Copy)]
struct Limits {
    deadline: Duration,
    max_payload: usize,
}

impl TaskQueue {
    /// The longest that a call is sent again for, where nothing else is said: 10 s.
    pub const DEADLINE: Duration = Duration::from_secs(10);
    /// The most bytes that params or a result may have, where nothing else is said: 1 MiB.
    pub const MAX_PAYLOAD: usize = 1 << 20;

    /// A handle on this backend.
    pub fn new(backend: impl Queue) -> Self {
        let limits = Limits { deadline: Self::DEADLINE, max_payload: Self::MAX_PAYLOAD };
        Self::with(Arc::new(backend), limits)
    }

    fn with(backend: Arc<dyn DynQueue>, limits: Limits) -> Self {
        let over = backend.clone();
        let send = move |batch: Batch, start: Instant| {
            let backend = over.clone();
            async move { send(&*backend, batch, start, limits.deadline).await }.boxed()
        };
        Self(Arc::new(Shared { backend, limits, gather: Gather::new(limits.deadline), send: Arc::new(send) }))
    }

    /// The same handle that sends each call again for so long.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self::with(self.0.backend.clone(), Limits { deadline, ..self.0.limits })
    }

    /// The same handle for params of at most so many bytes. Large data is better kept elsewhere, and named here.
    #[must_use]
    pub fn max_payload(self, bytes: usize) -> Self {
        Self::with(self.0.backend.clone(), Limits { max_payload: bytes, ..self.0.limits })
    }

    /// The most bytes that params or a result may have.
    pub fn payload_limit(&self) -> usize {
        self.0.limits.max_payload
    }

    pub(super) fn deadline_of_a_call(&self) -> Duration {
        self.0.limits.deadline
    }

    pub(crate) fn backend(&self) -> &dyn DynQueue {
        &*self.0.backend
    }

    pub(crate) fn over(&self, backend: Arc<dyn DynQueue>) -> Self {
        Self::with(backend, self.0.limits)
    }

    /// A task, enqueued once the answer is awaited.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use task_core::{QueueError, TaskHandle, TaskParams, TaskQueue};
    /// #[derive(serde::Serialize, serde::Deserialize, TaskParams)]
    /// #[task(output = u64)]
    /// struct Extract {
    ///     source: String,
    /// }
    ///
    /// async fn order_placed(queue: &TaskQueue, source: String) -> Result<TaskHandle<u64>, QueueError> {
    ///     queue.enqueue(Extract { source }).delay(Duration::from_secs(60)).priority(80).unique("order-7").await
    /// }
    /// ```
    pub fn enqueue<P: TaskParams>(&self, params: P) -> Enqueue<P::Output> {
        let params = self.checked(P::NAME, params.to_bytes());
        Enqueue::new(self.clone(), P::NAME.into(), params, P::options())
    }

    /// A task by its name, where there is no type for its params: a command task, or another team's.
    pub fn enqueue_named<T: Payload>(
        &self,
        name: impl Into<Cow<'static, str>>,
        params: &(impl Serialize + ?Sized),
    ) -> Enqueue<T> {
        let name = name.into();
        let params = self.checked(&name, encode(params));
        Enqueue::new(self.clone(), name, params, TaskOptions::default())
    }

    /// Many tasks of one kind, in as few calls as possible; the handles are in their order.
    ///
    /// # Errors
    /// The first error. The tasks before it, and after it too, may be enqueued: their ids are lost with the handles, so
    /// to be able to send the same tasks again, give ids of your own to [`enqueue`](Self::enqueue).
    pub async fn enqueue_many<P: TaskParams>(
        &self,
        params: impl IntoIterator<Item = P>,
    ) -> Result<Vec<TaskHandle<P::Output>>, QueueError> {
        let mut messages = Vec::new();
        for params in params {
            let params = self.checked(P::NAME, params.to_bytes())?;
            messages.push(TaskMessage::new(TaskId::new(), P::NAME, params, P::options())?);
        }
        let sent: Vec<_> =
            messages.iter().map(|message| (message.id.clone(), message.queue.clone())).collect();
        let answers = self.enqueue_messages(messages).await?;
        let handle = |((id, queue), answer): ((TaskId, Name), Result<Enqueued, QueueError>)| {
            let (id, new) = handle_of(id, &queue, true, answer?)?;
            Ok(TaskHandle::new(self.clone(), queue, id, new))
        };
        sent.into_iter().zip(answers).map(handle).collect()
    }

    /// Messages as they are, in as few calls as possible; an answer for each, in their order. This is what importers
    /// and proxies need; to enqueue tasks of your own, [`enqueue`](Self::enqueue) is the call.
    ///
    /// # Errors
    /// Only what concerns all of them; what became of each is in its answer.
    pub async fn enqueue_messages(
        &self,
        messages: Vec<TaskMessage>,
    ) -> Result<Vec<Result<Enqueued, QueueError>>, QueueError> {
        let mut answers: Vec<Option<Result<Enqueued, QueueError>>> = Vec::new();
        answers.resize_with(messages.len(), || None);
        let ids: Vec<TaskId> = messages.iter().map(|message| message.id.clone()).collect();
        let mut by_queue: Vec<(Name, Vec<usize>)> = Vec::new();
        for (place, message) in messages.iter().enumerate() {
            if let Err(error) = check_size(&message.name, message.params.len(), self.payload_limit()) {
                answers[place] = Some(Err(error));
                continue;
            }
            match by_queue.iter_mut().find(|(queue, _)| *queue == message.queue) {
                Some((_, places)) => places.push(place),
                None => by_queue.push((message.queue.clone(), vec![place])),
            }
        }
        let mut batches: Vec<(Name, Vec<usize>)> = Vec::new();
        for (queue, places) in by_queue {
            let split = in_batches(&places, |place| messages[place].params.len());
            batches.extend(split.into_iter().map(|places| (queue.clone(), places.to_vec())));
        }
        let mut gave_up: Option<QueueError> = None;
        // four at a time keep a connection busy and bound what is on the way
        let mut messages: Vec<Option<TaskMessage>> = messages.into_iter().map(Some).collect();
        for group in batches.chunks(4) {
            if let Some(error) = &gave_up {
                // a queue that was away for a whole deadline is not waited for once more for each batch
                for place in group.iter().flat_map(|(_, places)| places) {
                    answers[*place] = Some(Err(QueueError::NotSent(error.to_string().into())));
                }
                continue;
            }
            let sending = group.iter().map(|(queue, places)| {
                let batch = places.iter().filter_map(|place| messages[*place].take()).collect();
                (self.0.send)(Batch::new(queue.clone(), batch), Instant::now())
            });
            for (reply, (_, places)) in join_all(sending).await.into_iter().zip(group) {
                match reply {
                    Ok(reply) => {
                        for (place, answer) in places.iter().zip(reply.answers) {
                            answers[*place] = Some(Ok(answer));
                        }
                    }
                    Err(error) => {
                        for place in places {
                            answers[*place] = Some(Err(of_message(error.shared(), &ids[*place])));
                        }
                        gave_up = Some(error).filter(QueueError::is_transient).or(gave_up);
                    }
                }
            }
        }
        let missing = || Err(QueueError::Corrupt("the backend gave no answer to a message".into()));
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect())
    }

    /// The handle of a task that was enqueued elsewhere or earlier, typed by its params, in the queue that these name.
    ///
    /// # Panics
    /// If [`TaskParams::options`] names a queue by what is no name; the derive checks it.
    pub fn handle<P: TaskParams>(&self, id: TaskId) -> TaskHandle<P::Output> {
        let queue = P::options().queue.map(|queue| queue.parse().expect("the params' queue is a name"));
        TaskHandle::new(self.clone(), queue.unwrap_or(Name::DEFAULT_QUEUE), id, false)
    }

    /// The handle of a task in a named queue, where there is no type for its params.
    pub fn handle_in<T>(&self, queue: Name, id: TaskId) -> TaskHandle<T> {
        TaskHandle::new(self.clone(), queue, id, false)
    }

    /// Sends a message whose id is `fresh`, which is to say nobody else's, or not. It has joined others when this returns, so
    /// it is to be called no sooner than its answer is awaited.
    pub(super) fn send_one(
        &self,
        message: TaskMessage,
        fresh: bool,
    ) -> impl Future<Output = Result<(Name, TaskId, bool), QueueError>> + Send + use<> {
        let (id, name) = (message.id.clone(), message.queue.clone());
        // so many wait for their enqueues at a time that their futures are kept small: none is held by another
        self.0.gather.enqueue(message, &self.0.send).map(move |answer| {
            let answer = answer.map_err(|error| of_message(error, &id))?;
            handle_of(id, &name, fresh, answer).map(|(id, new)| (name, id, new))
        })
    }

    fn checked(&self, name: &str, params: Result<Vec<u8>, BoxError>) -> Result<Vec<u8>, QueueError> {
        let params = params.map_err(|error| {
            QueueError::invalid(format!("the params of `{name}` can't be encoded: {error}"))
        })?;
        check_size(name, params.len(), self.payload_limit())?;
        Ok(params)
    }

    /// Sends a call that only reads, or that is the same when it is sent twice, until it is answered.
    pub(super) async fn call<T, F>(&self, call: impl FnMut() -> F) -> Result<T, QueueError>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        resend(Instant::now(), self.0.limits.deadline, call).await.map_err(|gave_up| match gave_up {
            GaveUp::NotSent(error) | GaveUp::Unknown(error) | GaveUp::Refused(error) => error,
        })
    }
}

/// The id to hand out for a message that was answered so, and whether this call brought it in.
fn handle_of(id: TaskId, queue: &Name, fresh: bool, answer: Enqueued) -> Result<(TaskId, bool), QueueError> {
    match answer {
        Enqueued::Queued => Ok((id, true)),
        // a fresh id that is there came in by this very call, whose first answer was lost
        Enqueued::Exists { same: true, .. } => Ok((id, fresh)),
        Enqueued::Exists { status, .. } if status.is_final() => Err(QueueError::AlreadyThere { id, status }),
        Enqueued::Exists { .. } => Err(QueueError::Conflict(id)),
        Enqueued::DuplicateOf(owner) => Ok((owner, false)),
        Enqueued::Full => Err(QueueError::Full(queue.clone())),
    }
}

fn check_size(name: &(impl AsRef<str> + ?Sized), size: usize, limit: usize) -> Result<(), QueueError> {
    if size <= limit {
        return Ok(());
    }
    let name = name.as_ref();
    Err(QueueError::invalid(format!(
        "the params of `{name}` have {size} bytes, and {limit} are allowed; keep the data elsewhere and enqueue its name, \
         or raise the limit with TaskQueue::max_payload"
    )))
}

/// Splits places so that no batch has too many messages, or too many bytes for one call; one message always fits.
fn in_batches(mut places: &[usize], size: impl Fn(usize) -> usize) -> Vec<&[usize]> {
    let mut batches = Vec::new();
    while !places.is_empty() {
        let mut bytes = 0;
        let fits = places.iter().take(Batch::MAX).take_while(|place| {
            bytes += size(**place);
            bytes <= gather::MAX_BYTES
        });
        let (batch, rest) = places.split_at(fits.count().max(1));
        batches.push(batch);
        places = rest;
    }
    batches
}

async fn send(
    backend: &dyn DynQueue,
    batch: Batch,
    start: Instant,
    deadline: Duration,
) -> Result<EnqueueReply, QueueError> {
    let first = batch.messages.first().map(|message| message.id.clone());
    // several wait for it: a panic is an answer, too, or one of them would not hear of it
    let sent =
        AssertUnwindSafe(resend(start, deadline, || backend.enqueue(batch.clone()))).catch_unwind().await;
    let sent = sent.unwrap_or_else(|_panic| {
        // it may have come in, but to send it again is to panic again
        let words = "the backend panicked, which may have taken it in; what it said is on stderr";
        Err(GaveUp::Refused(QueueError::Corrupt(words.into())))
    });
    sent.map_err(|gave_up| match (gave_up, first) {
        (GaveUp::NotSent(error), _) => QueueError::NotSent(Box::new(error)),
        (GaveUp::Unknown(error), Some(id)) => QueueError::OutcomeUnknown { id, source: Box::new(error) },
        (GaveUp::Unknown(error) | GaveUp::Refused(error), _) => error,
    })
}

/// The error of a whole batch, as it is told of one of its messages.
fn of_message(error: QueueError, id: &TaskId) -> QueueError {
    match error {
        QueueError::OutcomeUnknown { source, .. } => QueueError::OutcomeUnknown { id: id.clone(), source },
        other => other,
    }
}

impl fmt::Debug for TaskQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskQueue").field("deadline", &self.0.limits.deadline).finish_non_exhaustive()
    }
}
