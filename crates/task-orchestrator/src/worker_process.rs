//! A process that is one worker: under an orchestrator, or alone as `task-worker`.

use std::{convert::Infallible, env, path::PathBuf, pin::pin, time::Duration};

use task_core::{Backends, QueueError, TaskQueue};
use task_worker::{TaskRegistry, TaskWorker, WorkerError, command::TaskFile};

use crate::{
    app::Setup,
    connect::{connect, warn},
    exit::Exit,
    logging,
    observed::ToOrchestrator,
    orchestrate::registry,
    settings::{Logs, LoneWorker, Surroundings, WorkerSettings},
    signals::{Order, Signals},
};

impl WorkerSettings {
    /// The worker, told what the flags say.
    pub(crate) fn apply(&self, mut worker: TaskWorker) -> TaskWorker {
        worker = worker.queues(self.queues.clone()).grace(self.grace);
        if let Some(concurrency) = self.concurrency {
            worker = worker.concurrency(concurrency);
        }
        match self.max_retries {
            Some(retries) => worker.max_retries(retries),
            None => worker,
        }
    }
}

/// Told by its environment what to do. It waits for the queue without end: its orchestrator looks after it.
pub(crate) fn under_orchestrator(backends: &Backends, setup: Option<Setup>) -> Exit {
    let text = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let around = Surroundings { env: &text, folder: PathBuf::new(), backends, own_tasks: setup.is_some() };
    match Logs::from_env(&around) {
        Ok(logs) => logging::start(logs),
        Err(mistake) => return fail(Exit::Usage, mistake),
    }
    let file = env::var_os("TASK_FILE").filter(|file| !file.is_empty());
    let file = match file.map(|file| TaskFile::load(file.as_ref())).transpose() {
        Ok(file) => file,
        Err(error) => return fail(Exit::Usage, error),
    };
    let Some(url) = text("TASK_QUEUE") else {
        return fail(
            Exit::Usage,
            "TASK_ROLE is `worker`, and TASK_QUEUE is not set: start the orchestrator instead",
        );
    };
    block_on(async {
        let connected =
            connect(backends, &url, None, |error| tracing::warn!(%error, "waiting for the queue"));
        // to wait never ends, so nothing of a connection is lost
        let queue = tokio::select! {
            queue = connected => queue,
            never = say_that_it_waits() => match never {},
        };
        let queue = queue.map_err(|error| Exit::no_queue(&error))?;
        let registry = registry(file, setup).await.map_err(|error| (Exit::Usage, format!("{error:#}")))?;
        let mut worker = TaskWorker::from_env(queue, registry).map_err(cannot_start)?;
        let told = text("NOTIFY_SOCKET").and_then(|socket| ToOrchestrator::over(socket.into()).ok());
        if let Some(told) = told.clone() {
            worker = worker.observer(told);
        }
        let ended = run(worker).await;
        if let Some(told) = told {
            told.tell_rest().await;
        }
        ended
    })
}

/// Tells the orchestrator, which takes a worker that is silent for its `--ready-timeout` for one that hangs. So it is said
/// often, however rarely the log says the same.
async fn say_that_it_waits() -> Infallible {
    let mut often = tokio::time::interval(Duration::from_millis(500));
    loop {
        often.tick().await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Status("waiting for the queue")]);
    }
}

/// The binary `task-worker`.
pub(crate) fn alone(lone: &LoneWorker, backends: &Backends) -> Exit {
    let registry = match TaskFile::load(&lone.tasks) {
        Ok(file) => file.register(TaskRegistry::new()),
        Err(error) => return fail(Exit::Usage, error),
    };
    block_on(async {
        let queue: Result<TaskQueue, QueueError> =
            connect(backends, &lone.url, Some(lone.connect_timeout), |error| {
                tracing::warn!(%error, "connecting again, for up to --connect-timeout");
            })
            .await;
        let queue = queue.map_err(|error| Exit::no_queue(&error))?;
        warn(&queue).await;
        let worker = lone.worker.apply(TaskWorker::new(queue, registry)).label(lone.label.clone());
        if lone.drain { drain(worker).await } else { run(worker).await }
    })
}

async fn run(worker: TaskWorker) -> Result<Exit, (Exit, String)> {
    worker.run().await.map_err(cannot_start)?;
    Ok(Exit::Done)
}

/// A signal cuts the drain short, gracefully; a second one at once, and what runs is given back in both cases.
async fn drain(worker: TaskWorker) -> Result<Exit, (Exit, String)> {
    let mut signals = Signals::new().map_err(|error| cannot_start(error.into()))?;
    let (stop, mut signal) = (worker.stop_handle(), None);
    let mut draining = pin!(worker.drain());
    let drained = loop {
        // a signal that comes while the drain ends is not lost, but means nothing any more
        tokio::select! {
            drained = &mut draining => break drained.map_err(cannot_start)?,
            order = signals.next() => if let Order::Stop(number) = order {
                signal.get_or_insert(number);
                stop.stop();
            },
        }
    };
    Ok(match signal {
        Some(number) if drained.cut_short => Exit::Signal(number),
        _ if drained.is_success() => Exit::Done,
        _ => Exit::TaskFailed,
    })
}

fn cannot_start(error: WorkerError) -> (Exit, String) {
    let exit = match error {
        WorkerError::Env { .. } | WorkerError::Invalid(_) => Exit::Usage,
        _ => Exit::NoQueue,
    };
    (exit, error.to_string())
}

fn block_on(life: impl Future<Output = Result<Exit, (Exit, String)>>) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::NoQueue, format!("can't start the runtime: {error}")),
    };
    let ended = runtime.block_on(life);
    // a blocking task that can't be stopped must not keep the process
    runtime.shutdown_background();
    match ended {
        Ok(exit) => exit,
        Err((exit, error)) => fail(exit, error),
    }
}

fn fail(exit: Exit, error: impl std::fmt::Display) -> Exit {
    eprintln!("error: {error}");
    exit
}
