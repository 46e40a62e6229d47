use std::{
    env,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    process::ExitCode,
};

use task_core::{Backends, FromUrl};
use task_queue_memory::MemoryQueue;
use task_queue_redis::RedisQueue;
use task_worker::TaskRegistry;

use crate::{
    cli::{self, ORCHESTRATOR_HELP, OWN_HELP, OrchestratorArgs, WORKER_HELP, WorkerArgs},
    exit::Exit,
    logging, orchestrate,
    settings::{LoneWorker, Mistake, Settings, Surroundings},
    worker_process,
};

/// What an own binary's setup may return: a [`TaskRegistry`], or a `Result` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a setup returns",
    note = "return a `TaskRegistry`, or a `Result<TaskRegistry, E>` with an error that `anyhow` takes"
)]
pub trait IntoRegistry {
    /// The registry, or why there is none.
    ///
    /// # Errors
    /// If the setup failed.
    fn into_registry(self) -> anyhow::Result<TaskRegistry>;
}

impl IntoRegistry for TaskRegistry {
    fn into_registry(self) -> anyhow::Result<TaskRegistry> {
        Ok(self)
    }
}

impl<E: Into<anyhow::Error>> IntoRegistry for Result<TaskRegistry, E> {
    fn into_registry(self) -> anyhow::Result<TaskRegistry> {
        self.map_err(Into::into)
    }
}

/// Makes the tasks of an own binary; called only in processes that run tasks.
pub(crate) type Setup = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = anyhow::Result<TaskRegistry>>>>>;

/// The `main` of a program that is orchestrator and worker in one.
///
/// `setup` returns the registry, or a `Result` of it; it is called only in processes that run tasks.
pub fn run<F, Fut>(setup: F) -> ExitCode
where
    F: FnOnce() -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: IntoRegistry,
{
    App::new().run(setup)
}

/// [`run`] with backends of your own beside `memory:` and Redis.
#[derive(Debug, Default)]
pub struct App {
    backends: Backends,
}

impl App {
    /// With the embedded queue and Redis.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more backend; it is asked before those that are there anyway whether it takes a URL.
    #[must_use]
    pub fn backend<B: FromUrl>(self) -> Self {
        Self { backends: self.backends.with::<B>() }
    }

    /// Reads the command line and the environment, and runs.
    pub fn run<F, Fut>(self, setup: F) -> ExitCode
    where
        F: FnOnce() -> Fut + 'static,
        Fut: Future + 'static,
        Fut::Output: IntoRegistry,
    {
        let setup =
            || -> Pin<Box<dyn Future<Output = _>>> { Box::pin(async { setup().await.into_registry() }) };
        self.main(Some(Box::new(setup)))
    }

    fn main(self, setup: Option<Setup>) -> ExitCode {
        let backends = self.backends.with::<MemoryQueue>().with::<RedisQueue>();
        if env::var_os("TASK_ROLE").is_some_and(|role| role == "worker") {
            return worker_process::under_orchestrator(&backends, setup).into();
        }
        let help = if setup.is_some() { OWN_HELP } else { ORCHESTRATOR_HELP };
        let args = cli::parse::<OrchestratorArgs>(&called("task-orchestrator"), help);
        let around = surroundings(&backends, setup.is_some());
        let settings = match Settings::resolve(args, &around) {
            Ok(settings) => settings,
            Err(mistake) => return refuse(&mistake),
        };
        logging::start(settings.logs);
        orchestrate::main(&settings, &backends, setup).into()
    }
}

/// The `main` of the binary `task-orchestrator`.
#[doc(hidden)]
pub fn orchestrator_main() -> ExitCode {
    App::new().main(None)
}

/// The `main` of the binary `task-worker`.
#[doc(hidden)]
pub fn worker_main() -> ExitCode {
    let backends = Backends::new().with::<MemoryQueue>().with::<RedisQueue>();
    let args = cli::parse::<WorkerArgs>(&called("task-worker"), WORKER_HELP);
    let lone = match LoneWorker::resolve(args, &surroundings(&backends, false)) {
        Ok(lone) => lone,
        Err(mistake) => return refuse(&mistake),
    };
    logging::start(lone.logs);
    worker_process::alone(&lone, &backends).into()
}

/// What the program was called by.
fn called(usual: &str) -> String {
    let called = env::args_os().next().map(PathBuf::from);
    let name = called.as_deref().and_then(Path::file_name);
    name.map_or_else(|| usual.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn surroundings(backends: &Backends, own_tasks: bool) -> Surroundings<'_> {
    let folder = env::current_dir().unwrap_or_else(|_| ".".into());
    Surroundings { env: &|name| env::var(name).ok(), folder, backends, own_tasks }
}

fn refuse(mistake: &Mistake) -> ExitCode {
    eprintln!("error: {mistake}");
    Exit::Usage.into()
}
