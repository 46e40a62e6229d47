use crate::{Durability, Name, TaskId, TaskMessage, TaskStatus};

/// Tasks to take in, all of one named queue.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Batch {
    /// The named queue, which is each message's.
    pub queue: Name,
    /// At most [`Batch::MAX`].
    pub messages: Vec<TaskMessage>,
}

impl Batch {
    /// The most messages that one batch may have.
    pub const MAX: usize = 1000;

    /// Tasks for a named queue.
    pub fn new(queue: Name, messages: Vec<TaskMessage>) -> Self {
        Self { queue, messages }
    }
}

/// The answers to a [`Batch`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EnqueueReply {
    /// One for each message, in their order.
    pub answers: Vec<Enqueued>,
    /// What may take from it what it took in.
    pub durability: Durability,
}

impl EnqueueReply {
    /// Answers, and how durable they are.
    pub fn new(answers: Vec<Enqueued>, durability: Durability) -> Self {
        Self { answers, durability }
    }
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Enqueued {
    /// It is in the queue.
    Queued,
    /// A task of this id was there already, and stays as it is.
    Exists {
        /// Its status.
        status: TaskStatus,
        /// Whether its name and params are the same ([`TaskMessage::fingerprint`]).
        same: bool,
    },
    /// A live task holds its unique key: this one. The message was not taken in.
    DuplicateOf(TaskId),
    /// There is no room for it.
    Full,
}
