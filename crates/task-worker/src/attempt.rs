//! One attempt: from a delivery to its settlement.

use std::{sync::Arc, time::Duration};

use task_core::{
    Delivery, Enqueued, Failure, FailureKind, Name, Outcome, QueueError, Settlement, TaskError, TaskMessage,
    TaskQueue, WireError, printable,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    TaskContext, TaskRegistry,
    engine::Caller,
    outage::Outage,
    outcome::{Ended, Rules, Why, classify},
    registry::{Kind, Registered},
    settings::Settings,
};

/// How long an async task may go on after it was told to stop.
const CANCEL_GRACE: Duration = Duration::from_secs(5);
/// The wait before what a backend that is away could not take is sent again.
const AGAIN: Duration = Duration::from_millis(500);

/// An attempt that is about to run.
pub(crate) struct Attempt {
    delivery: Arc<Delivery>,
    registered: Registered,
    params: bytes::Bytes,
    pub(crate) ctx: TaskContext,
    queue: TaskQueue,
    outage: Outage,
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
    let message: TaskMessage = match &delivery.message {
        Ok(message) => message.clone(),
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
        return Err(Unready::Ended(Settlement::new(delivery, unknown(settings, wrong))));
    };
    let kind = &registered.options;
    let timeout = message.timeout.or(kind.timeout).or(settings.timeout);
    let rules = Rules {
        max_retries: message.max_retries.or(kind.max_retries).unwrap_or(settings.max_retries),
        backoff: message.backoff.or(kind.backoff).unwrap_or(settings.backoff),
        max_result: caller.queue.payload_limit(),
    };
    let ctx = TaskContext::of(&delivery, &message, &caller.queue);
    let Caller { queue, outage } = caller.clone();
    let params = message.params;
    Ok(Attempt { delivery: delivery.into(), registered, params, ctx, queue, outage, timeout, rules })
}

/// What becomes of a task that this worker has no code for: another may have it, if there are others.
fn unknown(settings: &Settings, why: impl FnOnce() -> String) -> Outcome {
    if !settings.closed_set {
        return Outcome::NameUnknown;
    }
    Outcome::Failed { error: Failure::new(FailureKind::UnknownName, why()) }
}

impl Attempt {
    pub(crate) fn delivery(&self) -> Arc<Delivery> {
        self.delivery.clone()
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    /// Whether it occupies a thread while it runs.
    pub(crate) fn blocking(&self) -> bool {
        self.registered.kind == Kind::Blocking
    }

    /// Runs it to its end. `stop` ends it at once, as far as it can be ended.
    pub(crate) async fn run(self, stop: CancellationToken) -> Settlement {
        let ctx = &self.ctx;
        let span = tracing::info_span!("task", task = %ctx.name(), id = %ctx.id(), attempt = ctx.attempt(), queue = %ctx.queue_name());
        let (delivery, rules) = (self.delivery.clone(), self.rules);
        async move {
            let begun = self.begin(&stop);
            let ended = match begun {
                Err(ended) => ended,
                Ok(()) => self.work(&stop).await,
            };
            let ended = match ended {
                Ended::Returned(Ok(result)) => match self.follow_up(&stop).await {
                    Ok(()) => Ended::Returned(Ok(result)),
                    Err(ended) => ended,
                },
                ended => ended,
            };
            let outcome = classify(ended, delivery.record.failures, rules);
            if let Outcome::Failed { error } | Outcome::Retry { error, .. } = &outcome {
                tracing::warn!(kind = %error.kind, error = %printable(&error.message), "the attempt failed");
            }
            Settlement::new(delivery, outcome)
        }
        .instrument(span)
        .await
    }

    /// The time that it waited for its start counts for nothing.
    fn begin(&self, stop: &CancellationToken) -> Result<(), Ended> {
        if stop.is_cancelled() || self.ctx.is_cancelled() {
            let why = if stop.is_cancelled() { Why::Shutdown } else { Why::Cancel };
            return Err(Ended::Stopped(why, None));
        }
        let deadline = self.timeout.and_then(|timeout| std::time::Instant::now().checked_add(timeout));
        self.ctx.begin(deadline);
        Ok(())
    }

    async fn work(&self, stop: &CancellationToken) -> Ended {
        let work = self.ctx.clone().scope(self.registered.run(self.params.clone(), self.ctx.clone()));
        let mut work = std::pin::pin!(work);
        let timeout = self.timeout.unwrap_or(Duration::MAX);
        let cancelled = async {
            self.ctx.cancelled().await;
            sleep(CANCEL_GRACE).await;
        };
        // the work is only borrowed: whichever branch wins, it goes on below or is dropped on purpose
        let why = tokio::select! {
            biased;
            ended = &mut work => {
                // heeding its context it may have ended because the worker stops: that is no failure, and no cancel
                let stopped = ended.is_err() && stop.is_cancelled();
                return if stopped { Ended::Stopped(Why::Shutdown, Some(ended)) } else { Ended::Returned(ended) };
            }
            () = sleep(timeout) => Why::Timeout(timeout),
            () = cancelled => Why::Cancel,
            () = stop.cancelled() => Why::Shutdown,
        };
        self.ctx.cancel();
        tokio::select! {
            biased;
            ended = &mut work => Ended::Stopped(why, Some(ended)),
            // its blocking code has stopped too, and what it returned was polled for above
            () = self.ctx.no_threads() => Ended::Stopped(why, None),
        }
    }

    /// Sends what the task enqueued through its context, until the backend has taken it.
    async fn follow_up(&self, stop: &CancellationToken) -> Result<(), Ended> {
        let messages = self.ctx.follow_ups();
        if messages.is_empty() {
            return Ok(());
        }
        loop {
            let refused = match self.queue.enqueue_messages(messages.clone()).await {
                Ok(answers) => messages.iter().zip(answers).find_map(refused),
                Err(error) => Some(error),
            };
            match refused {
                None => {
                    self.outage.answered("enqueue", &messages[0].queue);
                    return Ok(());
                }
                Some(error) if error.is_transient() && !matches!(error, QueueError::Full(_)) => {
                    self.outage.failed("enqueue", &messages[0].queue, &error);
                }
                Some(error) => {
                    let error = TaskError::retry(format!("a follow-up was refused: {error}"));
                    return Err(Ended::Returned(Err(error)));
                }
            }
            // losing either branch loses nothing: the follow-ups are sent again by their ids
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = stop.cancelled() => return Err(Ended::Stopped(Why::Shutdown, None)),
            }
        }
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
