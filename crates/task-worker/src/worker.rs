use std::{future::Future, time::Duration};

use task_core::{Incarnation, Name, RetryPolicy, TaskQueue};
use tokio::sync::watch;

use crate::{
    TaskRegistry,
    engine::Engine,
    settings::{Settings, WorkerError},
    stop::{Signals, Stop, notify, notify_stopping},
};

/// Runs the tasks of a registry, many at once.
///
/// It never ends because its queue is away or a message is bad. What it is told here holds unless the environment says
/// otherwise ([`from_env`](Self::from_env)); for a task's retries, backoff and timeout, its message and its kind come
/// first.
#[derive(Debug)]
#[must_use = "a worker does nothing until `run` is awaited"]
pub struct TaskWorker {
    queue: TaskQueue,
    registry: TaskRegistry,
    settings: Settings,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $ty:ty;)*) => {$(
        $(#[$doc])*
        pub fn $name(mut self, $name: $ty) -> Self {
            self.settings.$name = $name;
            self
        }
    )*};
}

impl TaskWorker {
    /// A worker on the queue `tasks`, for 64 tasks at once.
    pub fn new(queue: TaskQueue, registry: TaskRegistry) -> Self {
        Self { queue, registry, settings: Settings::default() }
    }

    /// The same, set by WORKER_ID, WORKER_INCARNATION, QUEUE_NAME (`tasks=3,mail=1`), TASK_CONCURRENCY, TASK_MAX_RETRIES
    /// and TASK_GRACE; concurrency and retries said there win over what the code says.
    ///
    /// # Errors
    /// [`WorkerError::Env`] if one of them has a value that can't be.
    pub fn from_env(queue: TaskQueue, registry: TaskRegistry) -> Result<Self, WorkerError> {
        let settings = Settings::from_env(|name| std::env::var(name).ok())?;
        Ok(Self { queue, registry, settings })
    }

    setters! {
        /// So many tasks at once, at least 1; default 64.
        concurrency: u32;
        /// Retries of tasks that say nothing of them; default 3.
        max_retries: u32;
        /// The wait before retries of tasks that say nothing of it; default [`RetryPolicy::default`].
        backoff: RetryPolicy;
        /// Its name, for people; may repeat. Default `worker-` and its process id.
        label: String;
        /// Under which start it works; default a new one. Whoever starts it may then release it after its death.
        incarnation: Incarnation;
        /// For how long it is taken to be alive after a heartbeat; default 12 s.
        lease: Duration;
        /// How long its tasks may go on after it was told to stop; default 25 s.
        grace: Duration;
    }

    /// The longest that an attempt of a task may take that says nothing of it; default: no limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// The time between two heartbeats; default 3 s, a quarter of the lease.
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.settings.heartbeat = interval;
        self
    }

    /// The named queues that it works on, with their weights: how its slots are shared; default `tasks` alone.
    pub fn queues(mut self, queues: impl IntoIterator<Item = (Name, u32)>) -> Self {
        self.settings.queues = queues.into_iter().map(|(name, weight)| (name, weight.max(1))).collect();
        self
    }

    /// Until TERM or INT (a second one: at once), or until the orchestrator that started it is gone. TSTP stops
    /// claiming, CONT goes on.
    ///
    /// # Errors
    /// [`WorkerError`] if it can't start. Once it runs it ends by being told to.
    ///
    /// # Cancel safety
    /// A dropped future drops the running tasks; they run elsewhere when the lease has ended.
    pub async fn run(self) -> Result<(), WorkerError> {
        let (sender, receiver) = watch::channel(Stop::Run);
        let signals = Signals::new()?;
        // the signals' future never ends, and is done with when the worker is
        tokio::select! {
            ended = self.serve(receiver, false) => ended,
            () = signals.tell(sender) => Ok(()),
        }
    }

    /// Until `stop` is ready, then as gracefully as [`run`](Self::run). No signal is listened to.
    ///
    /// # Errors
    /// [`WorkerError`] if it can't start.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) -> Result<(), WorkerError> {
        let (sender, receiver) = watch::channel(Stop::Run);
        let tell = async {
            stop.await;
            sender.send_replace(Stop::Graceful);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = self.serve(receiver, false) => ended,
            () = tell => Ok(()),
        }
    }

    /// Until its queues hold nothing that is PENDING, RETRY or RUNNING; tasks of names that it does not know stay.
    ///
    /// # Errors
    /// [`WorkerError`] if it can't start.
    pub async fn drain(self) -> Result<(), WorkerError> {
        let (_sender, receiver) = watch::channel(Stop::Run);
        self.serve(receiver, true).await
    }

    async fn serve(self, stop: watch::Receiver<Stop>, drain: bool) -> Result<(), WorkerError> {
        if cfg!(panic = "abort") {
            tracing::warn!("compiled with panic = \"abort\": a task that panics ends the whole worker");
        }
        let engine = Engine::new(self.queue, self.registry, self.settings.resolved()?, drain);
        let speak = async {
            let mut told = stop.clone();
            // the loss of this branch only ends the talk
            tokio::select! {
                () = notify() => {}
                _ = told.wait_for(|stop| matches!(stop, Stop::Graceful | Stop::Now)) => notify_stopping(),
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = Box::pin(engine.run(stop.clone())) => ended,
            () = speak => Ok(()),
        }
    }
}
