//! What an orchestrator does between its start and its exit code: feed the crew, hear signals, stop it.

use std::{io, time::Duration};

use task_core::{Name, Queue as _, QueueError, QueueStats, TaskQueue};
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use crate::{
    batch::{self, Stage, Tally},
    crew::{Command, Crew},
    exit::Exit,
    logging,
    settings::{Input, Settings},
    signals::{Order, Signals},
    silence::Silence,
};

/// Feeds the crew, if there is something to feed it with, until there is nothing left to do or a signal comes.
pub(crate) async fn work(settings: &Settings, queue: TaskQueue, mut crew: Crew) -> anyhow::Result<Exit> {
    let done = feed(settings, queue, &mut crew).await;
    if done.is_err() && !crew.over.is_finished() {
        // nobody is left behind: workers that outlive this would learn of its end by their lifeline alone
        crew.tell(Command::StopNow).await;
        let _ = (&mut crew.over).await;
    }
    done
}

async fn feed(settings: &Settings, queue: TaskQueue, crew: &mut Crew) -> anyhow::Result<Exit> {
    let start = Instant::now();
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
                    tracing::info!("{}", if again { "told to stop now" } else { "told to stop" });
                    stage.send_replace(Stage::Close);
                    crew.tell(if again { Command::StopNow } else { Command::Stop }).await;
                }
            },
            ended = finished(&mut batch) => {
                let ended = ended?;
                batch = None;
                if settings.drain {
                    say_end(settings, &ended, start.elapsed());
                    crew.tell(Command::Stop).await;
                } else {
                    tracing::info!("the input was read: {ended}");
                }
                tally = Some(ended);
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
        let ended = batch.await?;
        if settings.drain {
            say_end(settings, &ended, start.elapsed());
        }
        tally = Some(ended);
    }
    let tally = tally.unwrap_or_default();
    let cut_short = settings.drain && (tally.left > 0 || emptied.is_some());
    Ok(match signal {
        Some(signal) if cut_short => Exit::Signal(signal),
        _ if tally.bad_lines > 0 || tally.broken => Exit::Usage,
        _ if settings.drain && tally.unhappy() + failed > 0 => Exit::TaskFailed,
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

/// The one line that a normal batch says.
fn say_end(settings: &Settings, tally: &Tally, took: Duration) {
    let fate = match tally.left {
        0 => "",
        _ if settings.outlives => {
            "; what is not final stays queued, and the same input goes on with it if its lines have ids"
        }
        _ => {
            "; what is not final ends with this process, as its queue does; on -q localhost:6379 it would stay"
        }
    };
    eprintln!("{tally}, in {:.1} s{fate}", took.as_secs_f64());
}

/// Waits until the named queues hold nothing that is not final; answers how many tasks failed meanwhile.
async fn emptied(queue: &TaskQueue, names: &[Name]) -> Result<u64, QueueError> {
    let mut before = None;
    let mut silence = Silence::new();
    loop {
        let (mut failed, mut waits, mut known) = (0, Vec::new(), true);
        for name in names {
            match queue.stats(name).await {
                Ok(stats) => {
                    waits.extend(waits_for(&stats));
                    failed += stats.totals.failed + stats.totals.cancelled + stats.totals.expired;
                }
                Err(error) if error.is_transient() => {
                    known = false;
                    waits.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        if known {
            let before = *before.get_or_insert(failed);
            if waits.is_empty() {
                return Ok(failed.saturating_sub(before));
            }
        }
        if silence.is_over() {
            logging::say(&format!("waiting: {}", waits.join("; ")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What of a queue is not final, in words; nothing, if nothing is.
fn waits_for(stats: &QueueStats) -> Option<String> {
    if stats.live() == 0 {
        return None;
    }
    let parts = [
        (stats.running, "running"),
        (stats.pending, "pending"),
        (stats.retry, "to be tried again"),
        (stats.delayed, "of the pending are delayed"),
        (stats.unknown_name, "of the pending are of a name that no worker knows"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let mut words = format!("{} has {}", stats.queue, parts.collect::<Vec<_>>().join(", "));
    if stats.paused {
        words.push_str(", and is paused");
    }
    if stats.workers.is_empty() {
        words.push_str(", and no worker is alive");
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use task_core::{CancelAnswer, TaskHandle, TaskStatus};
    use task_queue_memory::MemoryQueue;
    use task_testkit::{Hostile, Mishap};

    use super::*;

    fn settings(input: Option<Input>) -> Settings {
        Settings { input, drain: true, ..Settings::sample() }
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

    #[tokio::test]
    async fn a_drain_whose_first_look_is_not_answered_does_not_take_old_failures_for_its_own() {
        // a queue that did not answer once counted as one in which nothing had failed before
        let memory = MemoryQueue::new();
        let handle: TaskHandle<()> =
            TaskQueue::new(memory.clone()).enqueue_named("extract", &()).await.unwrap();
        handle.cancel().await.unwrap();
        let queue = TaskQueue::new(Hostile::new(memory).plan([Mishap::Fail]));
        assert_eq!(emptied(&queue, &[Name::DEFAULT_QUEUE]).await.unwrap(), 0);
    }
}
