//! One batch: the tasks of `--input`, and with `--drain` their results.
//!
//! Invariants: at most [`IN_FLIGHT`] tasks of the batch are in the queue at a time, which bounds its memory and the
//! queue's; each id that this run read is printed once at most; a bad line stops nothing.

mod answer;
mod outlook;
mod print;
mod reader;

use std::{collections::HashSet, io, time::Duration};

use task_core::{
    Lookup, Name, Queue as _, ResultError, ResultMessage, TaskHandle, TaskId, TaskMessage, TaskQueue,
    TaskStatus,
};
use tokio::{sync::watch, task::JoinSet};

use self::{answer::Answer, outlook::Outlook, print::Printer, reader::Line};
use crate::settings::Input;

/// How many tasks of the batch may be in the queue and not final.
const IN_FLIGHT: usize = 10_000;
/// How many lines are enqueued at once at most.
const BATCH: usize = 500;

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

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tasks that became final.
    pub(crate) finished: u64,
    /// Of these, those that FAILED or were CANCELLED.
    pub(crate) failed: u64,
    /// Lines that were no task, or that the queue did not take.
    pub(crate) bad_lines: u64,
    /// Tasks that were enqueued and are not final.
    pub(crate) left: u64,
    /// The input could not be read to its end, or the results could not be written.
    pub(crate) broken: bool,
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
        given_ids: HashSet::new(),
        tally: Tally::default(),
        outlook: Outlook::default(),
        stage: stage.clone(),
        queue,
    };
    let mut reading = true;
    let mut patience = tokio::time::interval(Duration::from_secs(5));
    patience.reset();
    loop {
        let room = IN_FLIGHT.saturating_sub(batch.waiting.len()).min(BATCH);
        if *stage.borrow() > Stage::Run {
            reading = false;
        }
        if !reading && batch.waiting.is_empty() {
            break;
        }
        let mut read = Vec::new();
        // every branch is safe to lose: `recv_many` takes lines only when it returns, a `JoinSet` keeps what ended,
        // and the others carry nothing
        tokio::select! {
            count = lines.recv_many(&mut read, room), if reading && room > 0 => {
                reading = count > 0;
                batch.take_in(read).await;
            }
            Some(ended) = batch.waiting.join_next(), if !batch.waiting.is_empty() => {
                if let Ok(ended) = ended {
                    batch.ended(ended);
                }
                if batch.tally.broken {
                    break;
                }
            }
            Ok(()) = stage.changed() => {}
            _ = patience.tick() => {
                if let Some(words) = batch.outlook.words(&batch.queue, batch.waiting.len()).await {
                    batch.printer.say(&words);
                }
            }
        }
    }
    batch.tally.left += batch.waiting.len() as u64;
    batch.printer.finish();
    batch.tally
}

struct Batch {
    queue: TaskQueue,
    printer: Printer,
    waiting: JoinSet<Ended>,
    /// The ids that lines gave: one that comes again is no other task. Ids made here never do.
    given_ids: HashSet<TaskId>,
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
    /// Enqueues what was read; what the queue has no room for is sent again until it has.
    async fn take_in(&mut self, lines: Vec<Line>) {
        let mut numbers = Vec::new();
        let mut messages = Vec::new();
        for line in lines {
            match line {
                Line::Task(number, message) => {
                    numbers.push(number);
                    messages.push(*message);
                }
                Line::Bad(number, why) => self.bad_line(number, &why),
                Line::Broken(why) => {
                    self.printer.say(&format!("the input can't be read on: {why}"));
                    self.tally.bad_lines += 1;
                }
            }
        }
        while !messages.is_empty() {
            let answers = match self.queue.enqueue_messages(messages.clone()).await {
                Ok(answers) => answers,
                Err(error) => messages.iter().map(|_| Err(error.shared())).collect(),
            };
            let mut again = (Vec::new(), Vec::new());
            for ((number, message), answer) in numbers.into_iter().zip(messages).zip(answers) {
                match Answer::of(answer) {
                    Answer::Wait => self.wait_for(message),
                    Answer::Again(why) => {
                        tracing::warn!(line = number, %why, "enqueueing again");
                        again.0.push(number);
                        again.1.push(message);
                    }
                    Answer::Merged(owner) => self.printer.say(&format!(
                        "line {number}: not enqueued, since task {owner} holds its unique key"
                    )),
                    Answer::Bad(why) => self.bad_line(number, &why),
                }
            }
            (numbers, messages) = again;
            if !messages.is_empty() {
                if *self.stage.borrow() > Stage::Run {
                    self.tally.left += messages.len() as u64;
                    return;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    fn bad_line(&mut self, number: u64, why: &str) {
        self.tally.bad_lines += 1;
        self.printer.say(&format!("line {number}: {why}"));
    }

    fn wait_for(&mut self, message: TaskMessage) {
        if !self.given_ids.insert(message.id.clone()) {
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
                self.tally.finished += 1;
                self.tally.failed +=
                    u64::from(matches!(record.status, TaskStatus::Failed | TaskStatus::Cancelled));
                self.outlook.ended(&record.id);
                if let Err(error) = self.printer.result(&record) {
                    tracing::error!(%error, "can't write results to stdout; stopping");
                    self.tally.broken = true;
                }
            }
            Ended::Left => self.tally.left += 1,
            Ended::Gone(id, why) => {
                self.tally.failed += 1;
                self.outlook.ended(&id);
                self.printer.say(&format!("task {id} has no result to print: {why}"));
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
