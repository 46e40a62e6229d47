//! What an orchestrator does between its start and its exit code: feed the crew, hear signals, stop it.

use std::{io, time::Duration};

use task_core::{Name, Queue as _, QueueError, TaskQueue};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    batch::{self, Stage, Tally},
    crew::{Command, Crew},
    exit::Exit,
    settings::{Input, Settings, is_memory},
    signals::{Order, Signals},
};

/// Feeds the crew, if there is something to feed it with, until there is nothing left to do or a signal comes.
pub(crate) async fn work(settings: &Settings, queue: TaskQueue, mut crew: Crew) -> anyhow::Result<Exit> {
    let mut signals = Signals::new()?;
    let (stage, staged) = watch::channel(Stage::Run);
    let names: Vec<Name> = settings.worker.queues.iter().map(|(name, _)| name.clone()).collect();
    let mut batch = settings.input.clone().map(|input: Input| {
        let default = names.first().cloned().unwrap_or(Name::DEFAULT_QUEUE);
        let results = settings.drain.then(|| Box::new(io::stdout()) as Box<dyn io::Write + Send>);
        tokio::spawn(batch::run(queue.clone(), default, input, results, staged))
    });
    let mut emptied = (settings.drain && batch.is_none())
        .then(|| tokio::spawn(async move { emptied(&queue, &names).await }));
    let (mut tally, mut failed) = (None, 0);
    let mut signal = None;
    loop {
        // safe to lose: handles and signals keep what came
        tokio::select! {
            order = signals.next() => match order {
                Order::Reload => crew.tell(Command::Reload).await,
                Order::Stop(number) => {
                    let again = signal.replace(number).is_some();
                    stage.send_replace(Stage::Close);
                    crew.tell(if again { Command::StopNow } else { Command::Stop }).await;
                }
            },
            ended = finished(&mut batch) => {
                tally = Some(ended?);
                batch = None;
                if settings.drain {
                    crew.tell(Command::Stop).await;
                }
            }
            ended = finished(&mut emptied) => {
                failed = ended??;
                emptied = None;
                crew.tell(Command::Stop).await;
            }
            over = &mut crew.over => {
                over??;
                break;
            }
        }
    }
    stage.send_replace(Stage::Last);
    if let Some(batch) = batch {
        tally = Some(batch.await?);
    }
    let tally = tally.unwrap_or_default();
    if settings.drain {
        say_end(settings, &tally);
    }
    let cut_short = settings.drain && (tally.left > 0 || emptied.is_some());
    Ok(match signal {
        Some(signal) if cut_short => Exit::Signal(signal),
        _ if tally.bad_lines > 0 || tally.broken => Exit::Usage,
        _ if settings.drain && tally.failed + failed > 0 => Exit::TaskFailed,
        _ => Exit::Done,
    })
}

/// What a task returned; never, if there is none.
async fn finished<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, tokio::task::JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

fn say_end(settings: &Settings, tally: &Tally) {
    let Tally { finished, failed, bad_lines, left, .. } = tally;
    if *left > 0 {
        let fate =
            if is_memory(&settings.url) { "end with this process, as `memory:` does" } else { "stay queued" };
        eprintln!("{left} of the tasks are not final; they {fate}");
    }
    if *failed > 0 || *bad_lines > 0 {
        eprintln!("{finished} tasks are final, {failed} of them failed or cancelled; {bad_lines} bad lines");
    }
}

/// Waits until the named queues hold nothing that is not final; answers how many tasks failed meanwhile.
async fn emptied(queue: &TaskQueue, names: &[Name]) -> Result<u64, QueueError> {
    let (mut before, mut ticks) = (None, 0_u32);
    loop {
        let (mut live, mut failed) = (0, 0);
        for name in names {
            let stats = queue.stats(name).await;
            match stats {
                Ok(stats) => {
                    live += stats.live();
                    failed += stats.totals.failed + stats.totals.cancelled + stats.totals.expired;
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "waiting for the queue");
                    live += 1;
                }
                Err(error) => return Err(error),
            }
        }
        let before = *before.get_or_insert(failed);
        if live == 0 {
            return Ok(failed.saturating_sub(before));
        }
        ticks += 1;
        if ticks.is_multiple_of(25) {
            eprintln!("waiting for {live} tasks that are not final");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use task_core::{CancelAnswer, TaskHandle, TaskStatus};
    use task_queue_memory::MemoryQueue;
    use tracing::level_filters::LevelFilter;

    use super::*;
    use crate::settings::{Logs, Program, WorkerSettings};

    fn settings(input: Option<Input>) -> Settings {
        let long = Duration::from_secs(60);
        Settings {
            url: "memory:".into(),
            workers: 1,
            worker: WorkerSettings {
                queues: vec![(Name::DEFAULT_QUEUE, 1)],
                concurrency: None,
                max_retries: None,
                grace: long,
            },
            program: Program::BuiltIn { tasks: None },
            input,
            drain: true,
            max_restarts: 3,
            timeout: long,
            ready_timeout: long,
            connect_timeout: long,
            monitoring: None,
            logs: Logs { level: LevelFilter::INFO, json: false },
        }
    }

    /// A crew that does nothing but stop when it is told to.
    fn idle() -> Crew {
        Crew::start(async |mut commands, _health| {
            while commands.recv().await.is_some_and(|command| command == Command::Reload) {}
            Ok(())
        })
    }

    #[tokio::test]
    async fn a_batch_stops_the_crew_at_its_end_and_a_bad_line_is_the_exit_code() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.jsonl");
        for (lines, exit) in [("", Exit::Done), ("not json\n", Exit::Usage)] {
            fs::write(&path, lines).unwrap();
            let settings = settings(Some(Input::File(path.clone())));
            let queue = TaskQueue::new(MemoryQueue::new());
            assert_eq!(work(&settings, queue, idle()).await.unwrap(), exit);
        }
    }

    #[tokio::test]
    async fn without_input_a_drain_ends_when_nothing_is_left_and_knows_what_failed() {
        let queue = TaskQueue::new(MemoryQueue::new());
        let handle: TaskHandle<()> = queue.enqueue_named("extract", &()).await.unwrap();
        let names = [Name::DEFAULT_QUEUE];
        // `join!` lets the drain look first, while the task is pending
        let (failed, cancelled) = tokio::join!(emptied(&queue, &names), handle.cancel());
        assert_eq!((failed.unwrap(), cancelled.unwrap()), (1, CancelAnswer::Cancelled));
        assert_eq!(handle.status().await.unwrap(), Some(TaskStatus::Cancelled));

        let exit = work(&settings(None), queue, idle()).await.unwrap();
        assert_eq!(exit, Exit::Done, "what failed before this run is not its failure");
    }
}
