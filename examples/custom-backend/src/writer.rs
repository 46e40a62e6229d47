//! The one thread that has the queues and their journal. It takes all calls that wait, writes the commands among them at
//! once, with one sync for all, then carries each out and answers it.

use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
};

use bytes::Bytes;
use task_core::{Name, QueueError, Timestamp};
use task_queue_memory::state::{Housekeep, Recorded, Release, State};
use tokio::sync::oneshot;

use crate::{
    clock::Clock,
    journal::{Journal, NotWritten, Queues, state_of},
    wakes::AllWakes,
};

/// So many calls, or so many bytes of them, are written at once at most.
const CALLS: usize = 1024;
const BYTES: usize = 8 << 20;

/// A call. What it is to answer is sent by its own function.
pub(crate) enum Job {
    /// A command, to be carried out once it is written.
    Change { queue: Name, command: Bytes, then: Change },
    /// A look at a named queue.
    Look { queue: Name, then: Look },
    /// A look at all of them.
    LookAround(Box<dyn FnOnce(&Queues) + Send>),
    /// For tests: time passes in small steps, as if the queues had been used all the time.
    #[cfg(test)]
    Pass { by: std::time::Duration, then: Box<dyn FnOnce() + Send> },
}

type Change = Box<dyn FnOnce(Result<(&mut State, Timestamp), QueueError>) + Send>;
type Look = Box<dyn FnOnce(Option<&State>, Timestamp) + Send>;

impl Job {
    fn bytes(&self) -> usize {
        if let Self::Change { command, .. } = self { command.len() } else { 0 }
    }
}

/// The way to the thread, which ends when this is dropped and all calls before are answered.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) clock: Arc<Clock>,
    pub(crate) wakes: Arc<AllWakes>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Opens the queue of a folder; its journal is written anew when it is longer than so many bytes.
    pub(crate) async fn open(folder: PathBuf, least: u64) -> Result<Self, QueueError> {
        let wakes = Arc::<AllWakes>::default();
        let (to_run, jobs) = mpsc::channel();
        let (tell, told) = oneshot::channel();
        let its_wakes = wakes.clone();
        let run = move || match Queue::open(folder, least, its_wakes) {
            Ok(mut queue) => {
                if tell.send(Ok(queue.clock.clone())).is_ok() {
                    queue.run(&jobs);
                }
            }
            Err(error) => drop(tell.send(Err(error))),
        };
        let thread =
            thread::Builder::new().name("journal".into()).spawn(run).map_err(QueueError::unreachable)?;
        let clock = told.await.map_err(QueueError::unreachable)??;
        Ok(Self { clock, wakes, jobs: Some(to_run), thread: Some(thread) })
    }

    /// Hands a call over. If the thread is gone, so is the answer.
    pub(crate) fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            jobs.send(job).ok();
        }
    }
}

impl Drop for Writer {
    /// Waits for the last sync, so that the folder is free when this is gone.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// What the thread has.
struct Queue {
    journal: Journal,
    queues: Queues,
    clock: Arc<Clock>,
    wakes: Arc<AllWakes>,
}

impl Queue {
    fn open(folder: PathBuf, least: u64, wakes: Arc<AllWakes>) -> Result<Self, QueueError> {
        let (journal, queues, last) = Journal::open(&folder, least)?;
        let mut queue = Self { journal, queues, clock: Clock::after(last).into(), wakes };
        queue.release_the_dead()?;
        Ok(queue)
    }

    /// One process at a time has the folder, so whoever worked before is dead, and need not be waited for.
    fn release_the_dead(&mut self) -> Result<(), QueueError> {
        let now = self.clock.now();
        let dead = |(queue, state): (&Name, &State)| -> Vec<(Name, Release)> {
            state.workers().map(|worker| (queue.clone(), Release(worker))).collect()
        };
        let dead: Vec<(Name, Release)> = self.queues.iter().flat_map(dead).collect();
        if dead.is_empty() {
            return Ok(());
        }
        let commands = dead.iter().map(|(queue, release)| Ok((queue.clone(), encode(release)?)));
        let commands = commands.collect::<Result<_, QueueError>>()?;
        self.journal.append(now, commands, &self.queues)?;
        for (queue, release) in dead {
            let held = state_of(&mut self.queues, &queue, now).apply(release, now);
            tracing::info!(%queue, worker = %release.0, held, "the last process died: what its worker held is given back");
        }
        Ok(())
    }

    fn run(&mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let (mut bytes, mut batch) = (first.bytes(), vec![first]);
            while batch.len() < CALLS
                && bytes < BYTES
                && let Ok(next) = jobs.try_recv()
            {
                bytes += next.bytes();
                batch.push(next);
            }
            #[cfg(test)]
            batch.sort_by_key(|job| matches!(job, Job::Pass { .. })); // behind what is written at the time before
            let now = self.clock.now();
            self.carry_out(batch, now);
            self.journal.shorten(now, &self.queues);
        }
    }

    fn carry_out(&mut self, batch: Vec<Job>, now: Timestamp) {
        let due = self.due(&batch, now);
        match self.write(&due, &batch, now) {
            Ok(()) => {
                due.iter().for_each(|queue| self.change(queue, now, |state| state.apply(Housekeep, now)));
                batch.into_iter().for_each(|job| self.answer(job, now));
            }
            Err(error) => batch.into_iter().for_each(|job| match job {
                Job::Change { then, .. } => then(Err(error.clone().into())),
                look => self.answer(look, now), // memory can be looked at whatever the disk does
            }),
        }
    }

    /// The queues that are looked at, and where something is to be done by time before that.
    fn due(&self, batch: &[Job], now: Timestamp) -> Vec<Name> {
        let looked_at = |job: &Job| match job {
            Job::Look { queue, .. } => Some(queue.clone()),
            _ => None,
        };
        let mut due: Vec<Name> = batch.iter().filter_map(looked_at).collect();
        due.sort();
        due.dedup();
        due.retain(|queue| self.queues.get(queue).is_some_and(|state| state.is_due(now)));
        due
    }

    fn write(&mut self, due: &[Name], batch: &[Job], now: Timestamp) -> Result<(), NotWritten> {
        let mut commands = Vec::with_capacity(due.len() + batch.len());
        for queue in due {
            let command = encode(&Housekeep).map_err(|error| NotWritten::Refused(error.to_string()))?;
            commands.push((queue.clone(), command));
        }
        commands.extend(batch.iter().filter_map(|job| match job {
            Job::Change { queue, command, .. } => Some((queue.clone(), command.clone())),
            _ => None,
        }));
        if commands.is_empty() { Ok(()) } else { self.journal.append(now, commands, &self.queues) }
    }

    fn answer(&mut self, job: Job, now: Timestamp) {
        match job {
            Job::Change { queue, then, .. } => self.change(&queue, now, |state| then(Ok((state, now)))),
            Job::Look { queue, then } => then(self.queues.get(&queue), now),
            Job::LookAround(then) => then(&self.queues),
            #[cfg(test)]
            Job::Pass { by, then } => {
                self.pass(by);
                then();
            }
        }
    }

    #[cfg(test)]
    fn pass(&mut self, by: std::time::Duration) {
        use task_queue_memory::state::Tick;
        const STEP: std::time::Duration = std::time::Duration::from_secs(5); // a longer gap would be an outage
        let tick = encode(&Tick).unwrap();
        let mut left = by;
        while !left.is_zero() {
            let step = left.min(STEP);
            self.clock.move_on(step);
            let now = self.clock.now();
            let ticks = self.queues.keys().map(|queue| (queue.clone(), tick.clone())).collect();
            self.journal.append(now, ticks, &self.queues).unwrap();
            self.queues.values_mut().for_each(|state| state.apply(Tick, now));
            left -= step;
        }
    }

    /// Changes a queue, and wakes whom it concerns.
    fn change(&mut self, queue: &Name, now: Timestamp, change: impl FnOnce(&mut State)) {
        let state = state_of(&mut self.queues, queue, now);
        let before = state.next_event();
        change(state);
        let earlier = match (state.next_event(), before) {
            (Some(next), Some(before)) => next < before,
            (next, before) => next.is_some() && before.is_none(),
        };
        self.wakes.of(queue).wake(&state.take_effects(), earlier);
    }
}

/// A command as the journal has it.
pub(crate) fn encode(request: &impl Recorded) -> Result<Bytes, QueueError> {
    let bytes = rmp_serde::to_vec(&request.command());
    bytes.map(Bytes::from).map_err(|error| QueueError::invalid(format!("a call can't be written: {error}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::frame::{self, Found};

    fn frames(journal: &Path) -> usize {
        let bytes = std::fs::read(journal).unwrap();
        let mut at = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let mut frames = 0;
        while let Found::Frame(body) = frame::read(&bytes[at..]) {
            at += frame::HEADER + body.len();
            frames += 1;
        }
        frames
    }

    #[test]
    fn calls_that_wait_together_are_written_at_once_and_looks_are_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal");
        let mut queue = Queue::open(folder.path().to_owned(), u64::MAX, Arc::default()).unwrap();
        let (answer, answers) = mpsc::channel();
        let command = encode(&Housekeep).unwrap();
        let change = || {
            let (answer, command) = (answer.clone(), command.clone());
            let then: Change = Box::new(move |written| answer.send(written.is_ok()).unwrap());
            Job::Change { queue: Name::DEFAULT_QUEUE, command, then }
        };
        let looks = answer.clone();
        let look: Look = Box::new(move |state, _| looks.send(state.is_some()).unwrap());
        let look = Job::Look { queue: Name::DEFAULT_QUEUE, then: look };
        let before = frames(&journal);
        let now = queue.clock.now();
        queue.carry_out(vec![change(), change(), look, change()], now);
        assert_eq!(frames(&journal), before + 1);
        assert_eq!(answers.try_iter().collect::<Vec<_>>(), [true; 4]);
    }
}
