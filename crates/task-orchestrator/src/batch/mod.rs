//! One batch: the tasks of `--input`, and with `--drain` their results.
//!
//! Invariants: at most [`IN_FLIGHT`] tasks of the batch are in the queue at a time, which bounds its memory and the
//! queue's; an id that comes again within a million lines is printed once; a bad line stops nothing.

mod answer;
mod known;
mod outlook;
mod print;
mod reader;
mod tally;

use std::{io, time::Duration};

use task_core::{
    Lookup, Name, Queue as _, ResultError, ResultMessage, TaskHandle, TaskId, TaskMessage, TaskQueue,
    TaskStatus,
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

pub(crate) use self::tally::Tally;
use self::{answer::Answer, known::Known, outlook::Outlook, print::Printer, reader::Line};
use crate::{logging, settings::Input, silence::Silence};

/// How many tasks of the batch may be in the queue and not final.
const IN_FLIGHT: usize = 10_000;
/// How many lines are enqueued at once at most.
const BATCH: usize = 500;
/// The wait before lines that the queue had no room for are sent again.
const AGAIN: Duration = Duration::from_millis(200);

/// How far a batch is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// To its end.
    Run,
    /// Read no more; wait for what is on the way.
    Close,
    /// The workers are gone: look once more at what is on the way, and end.
    Last,
}

/// Enqueues, waits, and writes a line for each result. Ends when every id is final, or when `stage` says so.
pub(crate) async fn run(
    queue: TaskQueue,
    default_queue: Name,
    input: Input,
    results: Option<Box<dyn io::Write + Send>>,
    mut stage: watch::Receiver<Stage>,
) -> Tally {
    let mut lines = reader::start(input, default_queue);
    let mut batch = Batch {
        printer: Printer::new(results),
        waiting: JoinSet::new(),
        refused: Vec::new(),
        again_at: Instant::now(),
        known: Known::default(),
        tally: Tally::default(),
        outlook: Outlook::default(),
        stage: stage.clone(),
        queue,
    };
    let mut reading = true;
    let mut silence = Silence::new();
    loop {
        let room = IN_FLIGHT.saturating_sub(batch.waiting.len()).min(BATCH);
        if *stage.borrow() > Stage::Run {
            reading = false;
            batch.tally.left += batch.refused.drain(..).len() as u64;
        }
        if !reading && batch.waiting.is_empty() && batch.refused.is_empty() {
            break;
        }
        let mut read = Vec::new();
        // every branch is safe to lose: `recv_many` takes lines only when it returns, a `JoinSet` keeps what ended,
        // and the others carry nothing
        tokio::select! {
            count = lines.recv_many(&mut read, room), if reading && room > 0 && batch.refused.is_empty() => {
                reading = count > 0;
                batch.take_in(read).await;
            }
            () = sleep_until(batch.again_at), if !batch.refused.is_empty() => {
                let refused = std::mem::take(&mut batch.refused);
                batch.enqueue(refused).await;
            }
            Some(ended) = batch.waiting.join_next(), if !batch.waiting.is_empty() => {
                silence = Silence::new();
                if let Ok(ended) = ended {
                    batch.ended(ended);
                }
                if batch.tally.broken {
                    break;
                }
            }
            Ok(()) = stage.changed() => {}
            () = sleep_until(silence.until()) => {
                if silence.is_over()
                    && let Some(words) = batch.outlook.words(&batch.queue, batch.waiting.len()).await
                {
                    logging::say(&words);
                }
            }
        }
    }
    batch.tally.left += batch.waiting.len() as u64;
    batch.tally
}

struct Batch {
    queue: TaskQueue,
    printer: Printer,
    waiting: JoinSet<Ended>,
    /// What the queue had no room for, with the numbers of the lines: nothing more is read until it has.
    refused: Vec<(u64, TaskMessage)>,
    /// When that is sent again.
    again_at: Instant,
    /// An id that comes again is no other task.
    known: Known,
    tally: Tally,
    outlook: Outlook,
    stage: watch::Receiver<Stage>,
}

/// How the wait for one task ended.
enum Ended {
    Final(Box<ResultMessage>),
    Left,
    Gone(TaskId, String),
}

impl Batch {
    async fn take_in(&mut self, lines: Vec<Line>) {
        let mut tasks = Vec::new();
        for line in lines {
            match line {
                Line::Task(number, message) => tasks.push((number, *message)),
                Line::Bad(number, why) => self.bad_line(number, &why),
                Line::Broken(why) => {
                    logging::say(&format!("the input can't be read on: {why}"));
                    self.tally.bad_lines += 1;
                }
            }
        }
        self.enqueue(tasks).await;
    }

    async fn enqueue(&mut self, tasks: Vec<(u64, TaskMessage)>) {
        if tasks.is_empty() {
            return;
        }
        let messages: Vec<TaskMessage> = tasks.iter().map(|(_, message)| message.clone()).collect();
        let answers = match self.queue.enqueue_messages(messages).await {
            Ok(answers) => answers,
            Err(error) => tasks.iter().map(|_| Err(error.shared())).collect(),
        };
        let mut wait = None;
        for ((number, message), answer) in tasks.into_iter().zip(answers) {
            match Answer::of(answer) {
                Answer::Wait => self.wait_for(message),
                Answer::Again(why) => {
                    wait.get_or_insert(why);
                    self.refused.push((number, message));
                }
                Answer::Merged(owner) => {
                    self.tally.merged += 1;
                    logging::say(&format!(
                        "line {number}: not enqueued, since task {owner} holds its unique key"
                    ));
                }
                Answer::Bad(why) => self.bad_line(number, &why),
            }
        }
        self.again_at = Instant::now() + AGAIN;
        self.outlook.refused(self.refused.len(), wait);
    }

    fn bad_line(&mut self, number: u64, why: &str) {
        self.tally.bad_lines += 1;
        logging::say(&format!("line {number}: {why}"));
    }

    fn wait_for(&mut self, message: TaskMessage) {
        if !self.known.insert(&message.id) {
            return; // the same line twice
        }
        self.printer.read_one();
        self.outlook.sent(&message);
        let handle = self.queue.handle_in(message.queue, message.id);
        self.waiting.spawn(wait(self.queue.clone(), handle, self.stage.clone()));
    }

    fn ended(&mut self, ended: Ended) {
        match ended {
            Ended::Final(record) => {
                self.tally.ended(record.status);
                self.outlook.ended(&record.id);
                if let Err(error) = self.printer.result(&record) {
                    tracing::error!(%error, "can't write results to stdout; stopping");
                    self.tally.broken = true;
                }
            }
            Ended::Left => self.tally.left += 1,
            Ended::Gone(id, why) => {
                self.tally.ended(TaskStatus::Failed);
                self.outlook.ended(&id);
                logging::say(&format!("task {id} has no result to print: {why}"));
            }
        }
    }
}

/// Waits until a task is final. When the workers are gone it looks once more.
async fn wait(queue: TaskQueue, handle: TaskHandle<()>, mut stage: watch::Receiver<Stage>) -> Ended {
    loop {
        // losing the wait loses nothing: it only reads
        let found = tokio::select! {
            found = handle.finished(Duration::from_secs(60)) => Some(found),
            () = async { drop(stage.wait_for(|stage| *stage == Stage::Last).await) } => None,
        };
        let Some(found) = found else {
            return match queue.result(handle.queue(), handle.id()).await {
                Ok(Lookup::Found(record)) if record.status.is_final() => Ended::Final(record),
                _ => Ended::Left,
            };
        };
        match found {
            Ok(record) if record.status.is_final() => return Ended::Final(Box::new(record)),
            Ok(_) => {}
            Err(error @ (ResultError::NotFound { .. } | ResultError::Expired { .. })) => {
                return Ended::Gone(handle.id().clone(), error.to_string());
            }
            Err(error) => tracing::warn!(%error, id = %handle.id(), "waiting for the queue"),
        }
    }
}

#[cfg(test)]
mod tests;
