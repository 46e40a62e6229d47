//! From the settings to the exit code: connect, start the crew, feed it, stop it.

use std::sync::Arc;

use task_core::{Backends, TaskQueue};
use task_monitor::Observations;
use task_worker::{TaskRegistry, command::TaskFile};

use crate::{
    app::Setup,
    connect::{connect, warn},
    crew::Crew,
    exit::Exit,
    inside, monitoring, service_manager,
    settings::{Program, Settings},
    supervisor::Supervisor,
    work::work,
};

/// The whole life of an orchestrator. What went wrong is told on stderr.
pub(crate) fn main(settings: &Settings, backends: &Backends, setup: Option<Setup>) -> Exit {
    let file = match load_tasks(settings) {
        Ok(file) => file,
        Err(error) => return fail(Exit::Usage, error),
    };
    let monitor = match monitoring::open(settings) {
        Ok(monitor) => monitor,
        Err(error) => return fail(Exit::Usage, error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::NoQueue, format!("can't start the runtime: {error}")),
    };
    let exit = runtime.block_on(async {
        let queue = connect(backends, &settings.url, Some(settings.connect_timeout), |error| {
            tracing::warn!(%error, "connecting again, for up to --connect-timeout");
        });
        let queue = match queue.await {
            Ok(queue) => queue,
            Err(error) => {
                let (exit, words) = Exit::no_queue(&error);
                return fail(exit, words);
            }
        };
        warn(&queue).await;
        let observations = Arc::<Observations>::default();
        let crew = if settings.inside {
            match registry(file, setup).await {
                Ok(registry) => start_inside(settings, queue.clone(), observations.clone(), registry),
                Err(error) => return fail(Exit::Usage, format!("{error:#}")),
            }
        } else {
            match Supervisor::new(settings, queue.clone(), observations.clone()) {
                Ok(supervisor) => {
                    Crew::start(async |commands, health| Ok(supervisor.run(commands, health).await?))
                }
                Err(error) => return fail(Exit::Usage, format!("can't start workers: {error}")),
            }
        };
        let names = settings.worker.queues.iter().map(|(name, _)| name.clone()).collect();
        let told = service_manager::tell(crew.health.clone());
        let served = monitoring::serve(monitor, queue.clone(), names, observations, crew.health.clone());
        // serving and telling never end; they are dropped when the work is done
        let done = tokio::select! {
            done = Box::pin(work(settings, queue, crew)) => done,
            never = Box::pin(served) => match never {},
            never = Box::pin(told) => match never {},
        };
        done.unwrap_or_else(|error| fail(Exit::NoQueue, format!("{error:#}")))
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

fn start_inside(
    settings: &Settings,
    queue: TaskQueue,
    observations: Arc<Observations>,
    registry: TaskRegistry,
) -> Crew {
    let (workers, worker) = (settings.workers, settings.worker.clone());
    Crew::start(async move |commands, health| {
        inside::run(queue, observations, registry, workers, worker, commands, health).await
    })
}
