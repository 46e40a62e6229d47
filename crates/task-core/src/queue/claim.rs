use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Incarnation, Name, ResultMessage, TaskId, TaskMessage, Token, WireError};

/// What a worker says of itself when it registers. It stays the same for the life of the process, but for its concurrency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Registration {
    /// WORKER_ID: for people; may repeat.
    pub label: Arc<str>,
    /// The names of the tasks that it has code for.
    pub names: Vec<Name>,
    /// For how long it is taken to be alive after a sign of life.
    pub lease: Duration,
    /// How many tasks it runs at once.
    pub concurrency: u32,
    /// The machine that it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
}

impl Registration {
    /// The lease where nothing else is said: 12 s.
    pub const LEASE: Duration = Duration::from_secs(12);

    /// A worker of this label that knows these names; lease 12 s, one task at a time, this process.
    pub fn new(label: impl Into<Arc<str>>, names: impl IntoIterator<Item = Name>) -> Self {
        Self {
            label: label.into(),
            names: names.into_iter().collect(),
            lease: Self::LEASE,
            concurrency: 1,
            host: String::new(),
            pid: std::process::id(),
        }
    }
}

/// A worker's wish for tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Claim {
    /// The named queue.
    pub queue: Name,
    /// Who claims.
    pub worker: Incarnation,
    /// What it says of itself.
    pub registration: Arc<Registration>,
    /// The number of this claim, counted by the incarnation within the named queue from 1. A new claim has a number
    /// above all before it. The same one is sent again after a lost answer, and also after one without tasks: a copy
    /// of that claim that arrives late may take tasks, which are then held under its number.
    pub number: u64,
    /// The answers to all claims up to this number have arrived; at most seven are under way beyond it.
    pub acked: u64,
    /// At most so many tasks; 0 only registers, and does the backend's housekeeping.
    pub max_tasks: usize,
    /// At most about so many bytes of records; the first task always fits.
    pub max_bytes: usize,
    /// How long to wait for the first task.
    pub wait: Duration,
    /// The worker holds nothing at all, in any queue: it may take a suspect.
    pub idle: bool,
}

impl Claim {
    /// The bytes that one claim brings, where nothing else is said: 8 MiB.
    pub const MAX_BYTES: usize = 8 << 20;
    /// How many claims of an incarnation may be under way in a named queue, and are remembered.
    pub const IN_FLIGHT: u64 = 8;

    /// A claim for one task that does not wait, of a worker that holds nothing.
    pub fn new(queue: Name, worker: Incarnation, registration: Arc<Registration>, number: u64) -> Self {
        Self {
            queue,
            worker,
            registration,
            number,
            acked: number.saturating_sub(1),
            max_tasks: 1,
            max_bytes: Self::MAX_BYTES,
            wait: Duration::ZERO,
            idle: true,
        }
    }

    /// The token that its tasks are settled by.
    pub fn token(&self) -> Token {
        Token::new(self.worker, self.number)
    }
}

/// The answer to a [`Claim`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Claimed {
    /// The tasks, in the order in which they are to start.
    pub tasks: Vec<Arc<Delivery>>,
    /// More tasks are due now.
    pub more: bool,
    /// When to claim again at the latest, if this worker is the one that watches the clock for the next due task.
    pub next_wake: Option<Duration>,
    /// The worker is asked to run empty, since a suspect waits for a process of its own: to claim nothing until it
    /// holds nothing, and then with [`Claim::idle`].
    pub run_empty: bool,
    /// The queue is paused: nothing is given out until it is resumed.
    pub paused: bool,
}

impl Claimed {
    /// These tasks, and nothing else to say.
    pub fn new(tasks: impl IntoIterator<Item = Delivery>) -> Self {
        Self { tasks: tasks.into_iter().map(Arc::new).collect(), ..Self::default() }
    }
}

/// A task as a worker gets it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// The right to settle it.
    pub token: Token,
    /// Its message; an error if it is damaged, or of a newer release than this worker.
    pub message: Result<TaskMessage, WireError>,
    /// What is known of it, at the start of this attempt: RUNNING, with its counts and history.
    pub record: ResultMessage,
    /// Its worker died under it twice or more: it runs alone in its process.
    pub suspect: bool,
}

impl Delivery {
    /// A task with its message as it is stored, and its record; both say which one.
    pub fn new(token: Token, stored: &Bytes, record: ResultMessage) -> Self {
        let (queue, id, name) = (record.queue.clone(), record.id.clone(), Some(&record.task));
        let message = TaskMessage::from_record_like(queue, id, name, stored);
        Self::with_message(token, message, record)
    }

    /// The same for a backend that has read the message already.
    pub fn with_message(
        token: Token,
        message: Result<TaskMessage, WireError>,
        record: ResultMessage,
    ) -> Self {
        let suspect = record.crashes >= 2;
        Self { token, message, record, suspect }
    }

    /// Its id.
    pub fn id(&self) -> &TaskId {
        &self.record.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker may hold ten thousand.
    #[test]
    fn a_delivery_is_small() {
        assert!(size_of::<Delivery>() <= 672, "{} bytes", size_of::<Delivery>());
    }
}
