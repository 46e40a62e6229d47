//! From the settings to the exit code: connect, start the crew, feed it, stop it.

use task_core::{Backends, QueueError, TaskQueue};
use task_worker::{TaskRegistry, command::TaskFile};

use crate::{
    app::Setup,
    connect::connect,
    crew::Crew,
    exit::Exit,
    inside,
    settings::{Program, Settings, is_memory},
    supervisor::Supervisor,
    work::work,
};

/// The whole life of an orchestrator. What went wrong is told on stderr.
pub(crate) fn main(settings: &Settings, backends: &Backends, setup: Option<Setup>) -> Exit {
    let file = match load_tasks(settings) {
        Ok(file) => file,
        Err(error) => return fail(Exit::Usage, error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::NoQueue, format!("can't start the runtime: {error}")),
    };
    let exit = runtime.block_on(async {
        let queue = connect(backends, &settings.url, Some(settings.connect_timeout), |error| {
            tracing::warn!(%error, "connecting again");
        });
        let queue = match queue.await {
            Ok(queue) => queue,
            Err(error @ QueueError::Invalid(_)) => return fail(Exit::Usage, error),
            Err(error) => return fail(Exit::NoQueue, error),
        };
        let crew = if is_memory(&settings.url) {
            match registry(file, setup).await {
                Ok(registry) => start_inside(settings, queue.clone(), registry),
                Err(error) => return fail(Exit::Usage, format!("{error:#}")),
            }
        } else {
            match Supervisor::new(settings, queue.clone()) {
                Ok(supervisor) => {
                    Crew::start(async |commands, health| Ok(supervisor.run(commands, health).await?))
                }
                Err(error) => return fail(Exit::Usage, format!("can't start workers: {error}")),
            }
        };
        match work(settings, queue, crew).await {
            Ok(exit) => exit,
            Err(error) => fail(Exit::NoQueue, format!("{error:#}")),
        }
    });
    // a blocking task that can't be stopped must not keep the process
    runtime.shutdown_background();
    exit
}

fn fail(exit: Exit, error: impl std::fmt::Display) -> Exit {
    eprintln!("error: {error}");
    exit
}

/// The tasks file is read here too where only the workers need it: a mistake in it is found before anything starts.
fn load_tasks(settings: &Settings) -> Result<Option<TaskFile>, task_worker::command::TaskFileError> {
    match &settings.program {
        Program::BuiltIn { tasks: Some(file) } => TaskFile::load(file).map(Some),
        Program::BuiltIn { tasks: None } | Program::Other { .. } => Ok(None),
    }
}

/// What a process that runs tasks knows: the tasks of the program, and those of the tasks file.
pub(crate) async fn registry(file: Option<TaskFile>, setup: Option<Setup>) -> anyhow::Result<TaskRegistry> {
    let registry = match setup {
        Some(setup) => setup().await?,
        None => TaskRegistry::new(),
    };
    Ok(match file {
        Some(file) => file.register(registry),
        None => registry,
    })
}

fn start_inside(settings: &Settings, queue: TaskQueue, registry: TaskRegistry) -> Crew {
    let (workers, worker) = (settings.workers, settings.worker.clone());
    Crew::start(async move |commands, health| {
        inside::run(queue, registry, workers, worker, commands, health).await
    })
}
