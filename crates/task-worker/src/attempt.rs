//! One attempt: from a delivery to its settlement.

use std::{sync::Arc, time::Duration};

use task_core::{
    Delivery, Enqueued, Failure, FailureKind, Name, Outcome, QueueError, Settlement, TaskError, TaskMessage,
    WireError, format_duration, printable,
};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument as _;

use crate::{
    TaskContext, TaskRegistry,
    engine::Caller,
    outcome::{Ended, Rules, Why, classify},
    panic::caught,
    registry::{Kind, Registered},
    settings::Settings,
};

/// How long an async task may go on after it was told to stop.
const CANCEL_GRACE: Duration = Duration::from_secs(5);
/// The wait before what a backend that is away could not take is sent again.
const AGAIN: Duration = Duration::from_millis(500);

/// An attempt that is about to run.
pub(crate) struct Attempt {
    registered: Arc<Registered>,
    params: bytes::Bytes,
    pub(crate) ctx: TaskContext,
    caller: Caller,
    timeout: Option<Duration>,
    rules: Rules,
}

/// A delivery that can't be run here.
pub(crate) enum Unready {
    /// It ends so.
    Ended(Settlement),
    /// It is to be given back so, but not at once.
    PutOff(Settlement),
}

/// What is run of a delivery, or how it ends without a run.
pub(crate) fn prepare(
    delivery: Delivery,
    registry: &TaskRegistry,
    settings: &Settings,
    caller: &Caller,
) -> Result<Attempt, Unready> {
    let message = match &delivery.message {
        Ok(message) => message,
        Err(error @ WireError::Newer { .. }) => {
            let outcome = unknown(settings, || error.to_string());
            let known = outcome == Outcome::NameUnknown && registry.get(&delivery.record.task).is_some();
            let give_back = if known { Unready::PutOff } else { Unready::Ended };
            return Err(give_back(Settlement::new(delivery, outcome)));
        }
        Err(error) => {
            let error = Failure::new(FailureKind::Params, error.to_string());
            return Err(Unready::Ended(Settlement::new(delivery, Outcome::Failed { error })));
        }
    };
    let Some(registered) = registry.get(&message.name).cloned() else {
        let wrong = || {
            let known: Vec<&str> = registry.names().take(20).map(Name::as_str).collect();
            format!("no worker here knows a task `{}`; they know: {}", message.name, known.join(", "))
        };
        let outcome = unknown(settings, wrong);
        return Err(Unready::Ended(Settlement::new(delivery, outcome)));
    };
    let kind = &registered.options;
    let timeout = message.timeout.or(kind.timeout).or(settings.timeout);
    let rules = Rules {
        max_retries: message.max_retries.or(kind.max_retries).unwrap_or(settings.max_retries),
        backoff: message.backoff.or(kind.backoff).unwrap_or(settings.backoff),
        max_result: caller.queue.payload_limit(),
    };
    let (params, caller) = (message.params.clone(), caller.clone());
    let ctx = TaskContext::of(delivery.into(), Some(caller.queue.clone()));
    Ok(Attempt { registered, params, ctx, caller, timeout, rules })
}

/// What becomes of a task that this worker has no code for: another may have it, if there are others.
fn unknown(settings: &Settings, why: impl FnOnce() -> String) -> Outcome {
    if !settings.closed_set {
        return Outcome::NameUnknown;
    }
    Outcome::Failed { error: Failure::new(FailureKind::UnknownName, why()) }
}

impl Attempt {
    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    pub(crate) fn registered(&self) -> &Arc<Registered> {
        &self.registered
    }

    /// Whether it occupies a thread while it runs.
    pub(crate) fn blocking(&self) -> bool {
        self.registered.kind == Kind::Blocking
    }

    /// Runs it to its end. What its context is told ends it, as far as it can be ended.
    pub(crate) fn run(self) -> impl Future<Output = Outcome> + Send {
        let ctx = &self.ctx;
        // of the highest level, so that what is logged within says whose it is, however little is logged
        let span = || tracing::error_span!("task", task = %ctx.name(), id = %ctx.id(), attempt = ctx.attempt(), queue = %ctx.queue_name());
        let span = caught(span).unwrap_or_else(|_| tracing::Span::none()); // a subscriber is somebody's own
        async move {
            let ended = match self.begin() {
                Err(ended) => ended,
                Ok(deadline) => self.work(deadline).await,
            };
            let ended = match ended {
                Ended::Returned(Ok(result)) => match self.ctx.follow_ups() {
                    none if none.is_empty() => Ended::Returned(Ok(result)),
                    // few have any, and each attempt would carry the room for it
                    messages => match Box::pin(self.follow_up(messages)).await {
                        Ok(()) => Ended::Returned(Ok(result)),
                        Err(ended) => ended,
                    },
                },
                ended => ended,
            };
            let outcome = classify(ended, self.ctx.delivery().record.failures, self.rules);
            tell(&outcome);
            outcome
        }
        .instrument(span)
    }

    /// The time that it waited for its start counts for nothing. Answers when its timeout is over.
    fn begin(&self) -> Result<Option<Instant>, Ended> {
        let signal = self.ctx.signal();
        if signal.is_cancelled() {
            let why = if signal.is_stopped() { Why::Shutdown } else { Why::Cancel };
            return Err(Ended::Stopped(why, None));
        }
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.ctx.begin(deadline.map(Instant::into_std));
        Ok(deadline)
    }

    async fn work(&self, deadline: Option<Instant>) -> Ended {
        let work = self.ctx.clone().scope(self.registered.run(self.params.clone(), self.ctx.clone()));
        let mut work = std::pin::pin!(work);
        let signal = self.ctx.signal();
        // most tasks end before anything else is polled: what that needs is made only then
        let timeout = async {
            match deadline {
                Some(deadline) => Box::pin(sleep_until(deadline)).await,
                None => std::future::pending().await,
            }
        };
        let cancelled = async {
            signal.cancelled().await;
            Box::pin(sleep(CANCEL_GRACE)).await;
        };
        // the work is only borrowed: whichever branch wins, it goes on below or is dropped on purpose
        let why = tokio::select! {
            biased;
            ended = &mut work => {
                // heeding its context it may have ended because the worker stops: that is no failure, and no cancel
                let stopped = ended.is_err() && signal.is_stopped();
                return if stopped { Ended::Stopped(Why::Shutdown, Some(ended)) } else { Ended::Returned(ended) };
            }
            () = timeout => Why::Timeout(self.timeout.unwrap_or_default()),
            () = cancelled => Why::Cancel,
            () = signal.stopped() => Why::Shutdown,
        };
        self.ctx.cancel();
        tokio::select! {
            biased;
            ended = &mut work => Ended::Stopped(why, Some(ended)),
            // its blocking code has stopped too, and what it returned was polled for above
            () = signal.no_threads() => Ended::Stopped(why, None),
        }
    }

    /// Sends what the task enqueued through its context, until the backend has taken it.
    async fn follow_up(&self, messages: Vec<TaskMessage>) -> Result<(), Ended> {
        let Caller { queue, outage } = &self.caller;
        loop {
            let refused = match queue.enqueue_messages(messages.clone()).await {
                Ok(answers) => messages.iter().zip(answers).find_map(refused),
                Err(error) => Some(error),
            };
            match refused {
                None => {
                    outage.answered("enqueue", &messages[0].queue);
                    return Ok(());
                }
                Some(error) if error.is_transient() && !matches!(error, QueueError::Full(_)) => {
                    outage.failed("enqueue", &messages[0].queue, &error);
                }
                Some(error) => {
                    let error = TaskError::retry(format!("a follow-up was refused: {error}"));
                    return Err(Ended::Returned(Err(error)));
                }
            }
            // losing either branch loses nothing: the follow-ups are sent again by their ids
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = self.ctx.signal().stopped() => return Err(Ended::Stopped(Why::Shutdown, None)),
            }
        }
    }
}

/// Logs an attempt that failed, and whether it was the last one.
fn tell(outcome: &Outcome) {
    match outcome {
        Outcome::Retry { error, delay } => {
            let (retry_in, error_said) = (format_duration(*delay), printable(&error.message));
            tracing::warn!(%retry_in, kind = %error.kind, error = %error_said, "the attempt failed");
        }
        Outcome::Failed { error } => {
            let error_said = printable(&error.message);
            tracing::warn!(kind = %error.kind, error = %error_said, "the attempt failed, and so has the task");
        }
        _ => {}
    }
}

fn refused((message, answer): (&TaskMessage, Result<Enqueued, QueueError>)) -> Option<QueueError> {
    match answer {
        Ok(Enqueued::Full) => Some(QueueError::Full(message.queue.clone())),
        // there since an earlier attempt: it stays as it is, and nothing is doubled
        Ok(_) => None,
        Err(error) => Some(error),
    }
}
