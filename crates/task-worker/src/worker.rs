use std::{future::Future, sync::Arc, time::Duration};

use task_core::{Incarnation, Name, RetryPolicy, TaskQueue};
use tokio::sync::watch;

use crate::{
    Drained, StopHandle, TaskRegistry, WorkerObserver,
    engine::Engine,
    observe::Observer,
    settings::{Settings, WorkerError},
    status::{Status, speak},
    stop::{Signals, Stop},
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
    stop: watch::Sender<Stop>,
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
    /// A worker on the queue `tasks`.
    pub fn new(queue: TaskQueue, registry: TaskRegistry) -> Self {
        Self { queue, registry, settings: Settings::default(), stop: watch::Sender::default() }
    }

    /// The same, set by WORKER_ID, WORKER_INCARNATION, QUEUE_NAME (`tasks=3,mail=1`), TASK_CONCURRENCY, TASK_MAX_RETRIES,
    /// TASK_GRACE and TASK_CLOSED_SET (1: [`closed_set`](Self::closed_set)); concurrency and retries said there win over
    /// what the code says.
    ///
    /// # Errors
    /// [`WorkerError::Env`] if one of them has a value that can't be.
    pub fn from_env(queue: TaskQueue, registry: TaskRegistry) -> Result<Self, WorkerError> {
        let settings = Settings::from_env(|name| std::env::var(name).ok())?;
        Ok(Self { queue, registry, settings, stop: watch::Sender::default() })
    }

    setters! {
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
        /// Whether it beats on the runtime that it runs on, and not on a thread of its own. For tests that pause Tokio's
        /// clock: a thread goes by the real time, and the paused clock would run past the lease. In service, a task that
        /// blocks the runtime would pass for the death of its worker. Default false.
        heartbeat_here: bool;
        /// Whether no worker will come that knows other tasks: then a task of a name that is not in the registry fails at
        /// once, instead of waiting for a worker that knows it. Default false; [`drain`](Self::drain) sets it.
        closed_set: bool;
    }

    /// So many tasks at once, at least 1; default 64, and the number of cores where every task of the registry is
    /// blocking code or a command.
    pub fn concurrency(mut self, tasks: u32) -> Self {
        self.settings.concurrency = Some(tasks);
        self
    }

    /// Of the tasks that run at once, so many of blocking code and commands, at least 1; further ones wait here for one
    /// of these to end, which counts neither for their timeout nor as a run. Default: what
    /// [`concurrency`](Self::concurrency) says, else the number of cores.
    pub fn blocking_concurrency(mut self, tasks: u32) -> Self {
        self.settings.blocking_concurrency = Some(tasks);
        self
    }

    /// Who is told of each attempt that ends; default nobody.
    pub fn observer(mut self, observer: Arc<dyn WorkerObserver>) -> Self {
        self.settings.observer = Observer(Some(observer));
        self
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

    /// By which it can be told to stop, and told again, whichever of its futures runs it.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.stop.clone())
    }

    /// Until TERM or INT (a second one: at once), or until the orchestrator that started it is gone (the end of the pipe
    /// that TASK_LIFELINE_FD names). TSTP stops claiming, CONT goes on. To a NOTIFY_SOCKET it says that it is ready once
    /// the queue has answered, how it is, and that it lives.
    ///
    /// # Errors
    /// [`WorkerError`] if it can't start. Once it runs it ends by being told to.
    ///
    /// # Cancel safety
    /// A dropped future drops the running tasks; they run elsewhere when the lease has ended.
    pub async fn run(self) -> Result<(), WorkerError> {
        let (signals, stop) = (Signals::new()?, self.stop.clone());
        self.introduce();
        let status = watch::Sender::new(Status::default());
        let said_all = speak(status.subscribe())?;
        // signals do not end by themselves, and are done with when the worker is
        let ended = tokio::select! {
            ended = self.serve(status, false) => ended.map(drop),
            () = signals.tell(stop) => Ok(()),
        };
        said_all.await;
        ended
    }

    /// Until `stop` is ready, then as gracefully as [`run`](Self::run). No signal is listened to, and nothing said to a
    /// NOTIFY_SOCKET.
    ///
    /// # Errors
    /// [`WorkerError`] if it can't start.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) -> Result<(), WorkerError> {
        self.serve_until(stop, false).await.map(drop)
    }

    /// Until its queues hold nothing that is PENDING, RETRY or RUNNING, and how what it settled ended.
    ///
    /// It takes itself for the last that will come ([`closed_set`](Self::closed_set)). What others have put aside before,
    /// because they did not know its name, stays.
    ///
    /// # Errors
    /// [`WorkerError`] if it can't start, or if the queue refuses to say whether anything is left.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn drain(self) -> Result<Drained, WorkerError> {
        self.drain_until(std::future::pending()).await
    }

    /// The same, but also when `stop` is ready; then as gracefully as [`run`](Self::run).
    ///
    /// # Errors
    /// [`WorkerError`] if it can't start.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn drain_until(self, stop: impl Future<Output = ()> + Send) -> Result<Drained, WorkerError> {
        self.closed_set(true).serve_until(stop, true).await
    }

    async fn serve_until(
        self,
        stop: impl Future<Output = ()> + Send,
        drain: bool,
    ) -> Result<Drained, WorkerError> {
        let handle = self.stop_handle();
        let tell = async {
            stop.await;
            handle.stop();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = self.serve(watch::Sender::default(), drain) => ended,
            () = tell => Ok(Drained::default()),
        }
    }

    /// What whoever starts a worker by hand wants to see first.
    fn introduce(&self) {
        let queues: Vec<&str> = self.settings.queues.iter().map(|(name, _)| name.as_str()).collect();
        let names: Vec<&str> = self.registry.names().map(Name::as_str).collect();
        tracing::info!(
            worker = %self.settings.label,
            queues = %queues.join(","),
            tasks = %names.join(","),
            "works"
        );
    }

    async fn serve(self, status: watch::Sender<Status>, drain: bool) -> Result<Drained, WorkerError> {
        if cfg!(panic = "abort") {
            tracing::warn!("compiled with panic = \"abort\": a task that panics ends the whole worker");
        }
        let settings = self.settings.resolved(&self.registry)?;
        let stop = self.stop.subscribe();
        let engine = Engine::new(self.queue, self.registry, settings, drain);
        Box::pin(engine.run(stop, status)).await
    }
}
