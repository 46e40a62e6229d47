//! One attempt: from a delivery to its settlement.

use std::{pin::pin, sync::Arc, time::Duration};

use task_core::{
    Delivery, Enqueued, Failure, FailureKind, Name, Outcome, QueueError, Settlement, TaskError, TaskMessage,
    TaskOptions, WireError, format_duration, printable,
};
use tokio::{
    task::unconstrained,
    time::{Instant, sleep, sleep_until},
};
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

/// An attempt that is about to run, or runs: small, since a worker may hold ten thousand.
pub(crate) struct Attempt {
    registered: Arc<Registered>,
    pub(crate) ctx: TaskContext,
    common: Arc<Common>,
}

/// What all attempts of a worker have in common.
pub(crate) struct Common {
    pub(crate) registry: TaskRegistry,
    pub(crate) settings: Settings,
    pub(crate) caller: Caller,
}

/// A delivery that can't be run here.
pub(crate) enum Unready {
    /// It ends so.
    Ended(Settlement),
    /// It is to be given back so, but not at once.
    PutOff(Settlement),
}

/// What is run of a delivery, or how it ends without a run.
pub(crate) fn prepare(delivery: Arc<Delivery>, common: &Arc<Common>) -> Result<Attempt, Unready> {
    let Common { registry, settings, caller } = &**common;
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
    let ctx = TaskContext::of(delivery, Some(caller.queue.clone()));
    Ok(Attempt { registered, ctx, common: common.clone() })
}

/// What becomes of a task that this worker has no code for: another may have it, if there are others.
fn unknown(settings: &Settings, why: impl FnOnce() -> String) -> Outcome {
    if !settings.closed_set {
        return Outcome::NameUnknown;
    }
    Outcome::Failed { error: Failure::new(FailureKind::UnknownName, why()) }
}

impl Attempt {
    pub(crate) fn registered(&self) -> &Registered {
        &self.registered
    }

    /// What was enqueued, if this release can read it: then alone there is an attempt.
    fn message(&self) -> Option<&TaskMessage> {
        self.ctx.delivery().message.as_ref().ok()
    }

    /// What the message says holds, then what its kind says, then what the worker does.
    fn said<T>(
        &self,
        message: impl FnOnce(&TaskMessage) -> Option<T>,
        kind: impl FnOnce(&TaskOptions) -> Option<T>,
    ) -> Option<T> {
        self.message().and_then(message).or_else(|| kind(&self.registered.options))
    }

    fn timeout(&self) -> Option<Duration> {
        self.said(|message| message.timeout, |kind| kind.timeout).or(self.common.settings.timeout)
    }

    fn rules(&self) -> Rules {
        let Common { settings, caller, .. } = &*self.common;
        let max_retries = self.said(|message| message.max_retries, |kind| kind.max_retries);
        let backoff = self.said(|message| message.backoff, |kind| kind.backoff);
        Rules {
            max_retries: max_retries.unwrap_or(settings.max_retries),
            backoff: backoff.unwrap_or(settings.backoff),
            max_result: caller.queue.payload_limit(),
        }
    }

    /// What is told to the queue of it, if it ended so.
    pub(crate) fn outcome(&self, ended: Ended) -> Outcome {
        classify(ended, self.ctx.delivery().record.failures, self.rules())
    }

    /// Whether it occupies a thread while it runs.
    pub(crate) fn blocking(&self) -> bool {
        self.registered.kind == Kind::Blocking
    }

    /// Runs it to its end. What its context is told ends it, as far as it can be ended.
    pub(crate) fn run(&self) -> impl Future<Output = Outcome> + Send {
        let ctx = &self.ctx;
        // of the highest level, so that what is logged within says whose it is, however little is logged
        let span = || tracing::error_span!("task", task = %ctx.name(), id = %ctx.id(), attempt = ctx.attempt(), queue = %ctx.queue_name());
        let span = caught(span).unwrap_or_else(|_| tracing::Span::none()); // a subscriber is somebody's own
        async {
            let mut ended = self.work().await;
            // a value counts however late
            let done = matches!(ended, Ended::Returned(Ok(_)) | Ended::Stopped(_, Some(Ok(_))));
            if done && self.ctx.has_follow_ups() {
                // few have any, and each attempt would carry the room for it
                ended = Box::pin(self.follow_up(ended)).await;
            }
            let outcome = self.outcome(ended);
            tell(&outcome);
            outcome
        }
        .instrument(span)
    }

    /// The time that it waited for its start counts for nothing.
    fn begin(&self) -> Result<(), Ended> {
        let signal = self.ctx.signal();
        if signal.is_cancelled() {
            let why = if signal.is_stopped() { Why::Shutdown } else { Why::Cancel };
            return Err(Ended::Stopped(why, None));
        }
        let deadline = self.timeout().and_then(|timeout| Instant::now().checked_add(timeout));
        self.ctx.begin(deadline.map(Instant::into_std));
        Ok(())
    }

    async fn work(&self) -> Ended {
        if let Err(ended) = self.begin() {
            return ended;
        }
        let mut work = pin!(self.ctx.clone().scope(self.registered.run(self.ctx.clone())));
        let signal = self.ctx.signal();
        // the work is only borrowed: whichever branch wins, it goes on below or is dropped on purpose
        let why = tokio::select! {
            biased;
            ended = &mut work => {
                // heeding its context it may have ended because the worker stops: that is no failure, and no cancel
                let stopped = ended.is_err() && signal.is_stopped();
                return if stopped { Ended::Stopped(Why::Shutdown, Some(ended)) } else { Ended::Returned(ended) };
            }
            // most tasks end before this is polled: what it needs is made only then; and it is heard however busy the work is
            why = unconstrained(self.must_stop()) => why,
        };
        self.ctx.cancel();
        tokio::select! {
            biased;
            ended = &mut work => Ended::Stopped(why, Some(ended)),
            // its blocking code has stopped too, and what it returned was polled for above
            () = signal.no_threads() => Ended::Stopped(why, None),
        }
    }

    /// Until it has to stop: its timeout or the grace of a cancel is over, or it was told to.
    async fn must_stop(&self) -> Why {
        let signal = self.ctx.signal();
        let mut end = self.ctx.deadline().map(|deadline| {
            let why = Why::Timeout(self.timeout().unwrap_or_default());
            (why, Box::pin(sleep_until(Instant::from_std(deadline))))
        });
        let mut cancelled = false;
        loop {
            let news = signal.news();
            if signal.is_stopped() {
                return Why::Shutdown;
            }
            if signal.is_cancelled() && !std::mem::replace(&mut cancelled, true) {
                let grace = Instant::now() + CANCEL_GRACE;
                if end.as_ref().is_none_or(|(_, timeout)| grace < timeout.deadline()) {
                    end = Some((Why::Cancel, Box::pin(sleep_until(grace))));
                }
            }
            match &mut end {
                None => news.await,
                Some((why, sleep)) => tokio::select! {
                    biased;
                    () = sleep => return *why,
                    () = news => {}
                },
            }
        }
    }

    /// Sends what the task enqueued through its context, until the backend has taken it. So ends what `ended` well, or not.
    async fn follow_up(&self, ended: Ended) -> Ended {
        let Caller { queue, outage } = &self.common.caller;
        let messages = self.ctx.follow_ups();
        loop {
            let refused = match queue.enqueue_messages(messages.clone()).await {
                Ok(answers) => messages.iter().zip(answers).find_map(refused),
                Err(error) => Some(error),
            };
            match refused {
                None => {
                    outage.answered("enqueue", &messages[0].queue);
                    return ended;
                }
                Some(error) if error.is_transient() && !matches!(error, QueueError::Full(_)) => {
                    outage.failed("enqueue", &messages[0].queue, &error);
                }
                Some(error) => {
                    let error = TaskError::retry(format!("a follow-up was refused: {error}"));
                    return Ended::Returned(Err(error));
                }
            }
            // losing either branch loses nothing: the follow-ups are sent again by their ids
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = self.ctx.signal().stopped() => return Ended::Stopped(Why::Shutdown, None),
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

#[cfg(test)]
mod tests {
    use task_core::{Incarnation, ResultMessage, TaskId, TaskQueue, Timestamp, Token};
    use task_queue_memory::MemoryQueue;

    use super::*;
    use crate::outage::Outage;

    /// How an attempt ends that heeds nothing and is cancelled after a second; and when.
    async fn cancelled(timeout: Option<Duration>) -> (Outcome, Duration) {
        let name: Name = "deaf".parse().unwrap();
        let registry = TaskRegistry::new()
            .register_named(name, TaskOptions::default(), |_, _| Box::pin(std::future::pending()));
        let caller = Caller { queue: TaskQueue::new(MemoryQueue::new()), outage: Outage::default() };
        let common =
            Arc::new(Common { registry, settings: Settings { timeout, ..Settings::default() }, caller });
        let message = TaskMessage::new(TaskId::new(), "deaf", vec![0xc0], TaskOptions::default()).unwrap();
        let record = ResultMessage::pending(&message, Timestamp::default());
        let delivery = Delivery::with_message(Token::new(Incarnation::new(), 1), Ok(message), record);
        let Ok(attempt) = prepare(delivery.into(), &common) else { panic!("it can be run") };
        let began = Instant::now();
        let cancel = async {
            sleep(Duration::from_secs(1)).await;
            attempt.ctx.cancel();
        };
        let (outcome, ()) = tokio::join!(attempt.run(), cancel);
        (outcome, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_cancel_an_attempt_has_its_grace_but_no_more_than_its_timeout() {
        let secs = |(outcome, took): (Outcome, Duration)| (outcome, (took.as_secs_f64()).round() as u64);
        let cancel = || Outcome::Cancelled { reason: "cancelled while it ran".into() };
        assert_eq!(secs(cancelled(None).await), (cancel(), 6));
        assert_eq!(secs(cancelled(Some(Duration::from_secs(60))).await), (cancel(), 6));
        let (outcome, took) = secs(cancelled(Some(Duration::from_secs(3))).await);
        assert!(matches!(outcome, Outcome::Retry { error, .. } if error.kind == FailureKind::Timeout));
        assert_eq!(took, 3);
    }
}
