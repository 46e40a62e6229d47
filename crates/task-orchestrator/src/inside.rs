//! The workers of a queue that lives in this process: parts of it.

use std::{future::pending, sync::Arc};

use task_core::TaskQueue;
use task_monitor::Observations;
use task_worker::{StopHandle, TaskRegistry, TaskWorker};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    crew::{Command, Health},
    observed::ToMetrics,
    settings::WorkerSettings,
};

/// Runs so many workers until they are told to stop and have ended.
pub(crate) async fn run(
    queue: TaskQueue,
    observations: Arc<Observations>,
    registry: TaskRegistry,
    workers: u32,
    settings: WorkerSettings,
    mut commands: mpsc::Receiver<Command>,
    health: watch::Sender<Health>,
) -> anyhow::Result<()> {
    let metrics = Arc::new(ToMetrics(observations));
    let (mut running, mut stops) = (JoinSet::new(), Vec::new());
    for number in 1..=workers {
        let worker = settings.apply(TaskWorker::new(queue.clone(), registry.clone()));
        // what none of them knows, none ever will
        let worker = worker.closed_set(true).observer(metrics.clone());
        stops.push(worker.stop_handle());
        running.spawn(worker.label(format!("worker_{number}")).run_until(pending()));
    }
    let mut stopping = false;
    while !running.is_empty() {
        health.send_replace(Health { alive: running.len(), all_parked: false });
        // safe to lose: a `JoinSet` keeps what ended, a channel what was sent
        tokio::select! {
            Some(ended) = running.join_next() => match ended {
                Ok(result) => result?,
                Err(error) if error.is_cancelled() => {}
                Err(error) => return Err(error.into()),
            },
            Some(command) = commands.recv() => match command {
                // a command that comes twice is no second signal
                Command::Stop if std::mem::replace(&mut stopping, true) => {}
                Command::Stop => stops.iter().for_each(StopHandle::stop),
                Command::StopNow => stops.iter().for_each(StopHandle::stop_now),
                Command::Reload => tracing::warn!(
                    "HUP restarts worker processes, and there are none: the workers of this queue are parts of this process"
                ),
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::{Deserialize, Serialize};
    use task_core::{FailureKind, Name, ResultError, TaskError, TaskParams, TaskStatus};
    use task_queue_memory::MemoryQueue;
    use tokio::sync::Notify;

    use super::*;
    use crate::crew::Crew;

    #[derive(Serialize, Deserialize, TaskParams)]
    #[task(output = usize)]
    struct Count {
        text: String,
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_workers_of_one_process_run_tasks_and_stop_when_told() {
        let queue = TaskQueue::new(MemoryQueue::new());
        let registry = TaskRegistry::new()
            .register_fn(|count: Count, _ctx| async move { Ok(count.text.split_whitespace().count()) });
        let settings = WorkerSettings {
            queues: vec![(Name::DEFAULT_QUEUE, 1)],
            concurrency: Some(2),
            max_retries: None,
            grace: Duration::from_secs(1),
        };
        let over = queue.clone();
        let crew = Crew::start(async move |commands, health| {
            run(over, Arc::default(), registry, 4, settings, commands, health).await
        });
        let patience = Duration::from_secs(20);
        let handle = queue.enqueue(Count { text: "one two three".into() }).await.unwrap();
        assert_eq!(handle.result(patience).await.unwrap(), 3);
        let unknown = queue.enqueue_named::<()>("nobody", &()).await.unwrap();
        let error = unknown.result(patience).await.unwrap_err();
        assert!(
            matches!(&error, ResultError::Failed { failure, .. } if failure.kind == FailureKind::UnknownName),
            "{error}"
        );
        crew.tell(Command::Stop).await;
        tokio::time::timeout(patience, crew.over).await.expect("it stops").unwrap().unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn workers_told_to_stop_now_give_back_what_they_run() {
        // they were dropped, and their tasks stayed RUNNING by workers that were gone
        let queue = TaskQueue::new(MemoryQueue::new());
        let started = Arc::new(Notify::new());
        let start = started.clone();
        let registry = TaskRegistry::new().register_fn(move |_: Count, _ctx| async move {
            start.notify_one();
            pending::<Result<usize, TaskError>>().await
        });
        let settings = WorkerSettings {
            queues: vec![(Name::DEFAULT_QUEUE, 1)],
            concurrency: Some(2),
            max_retries: None,
            grace: Duration::from_secs(600),
        };
        let over = queue.clone();
        let crew = Crew::start(async move |commands, health| {
            run(over, Arc::default(), registry, 2, settings, commands, health).await
        });
        let handle = queue.enqueue(Count { text: String::new() }).await.unwrap();
        let patience = Duration::from_secs(20);
        tokio::time::timeout(patience, started.notified()).await.expect("it starts");
        crew.tell(Command::Stop).await;
        crew.tell(Command::Stop).await;
        crew.tell(Command::StopNow).await;
        tokio::time::timeout(patience, crew.over).await.expect("it stops").unwrap().unwrap();
        let record = handle.message().await.unwrap().unwrap();
        assert_eq!((record.status, record.releases), (TaskStatus::Pending, 1));
    }
}
