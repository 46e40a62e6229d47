use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Claim, Claimed, Delivery, Failure, Name, QueueError};

/// How an attempt ends. Exhaustive on purpose: a backend must handle each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It returned a value: COMPLETED, also after a cancel was asked for.
    Completed {
        /// The value, as MessagePack. It may share its memory with values beside it, so copy what is kept for long.
        result: Bytes,
    },
    /// It said that there was nothing to do: SKIPPED.
    Skipped {
        /// In its words.
        reason: String,
    },
    /// It said that it was cancelled: CANCELLED.
    Cancelled {
        /// In its words.
        reason: String,
    },
    /// It failed and retries are left: RETRY, then PENDING after the delay. Counts as a failure.
    Retry {
        /// How it failed.
        error: Failure,
        /// How long it waits, by the backend's clock.
        delay: Duration,
    },
    /// It failed for good: FAILED. Counts as a failure.
    Failed {
        /// How it failed.
        error: Failure,
    },
    /// Given back unfinished by a worker that saw it stop: PENDING, at the front. Counts as a release.
    Released,
    /// The worker has no code of that name, or can't read so new a message: PENDING, in a list of its name from which
    /// only a worker that knows the name takes. Counts as nothing.
    NameUnknown,
}

/// The end of one attempt.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settlement {
    /// The task as it was delivered, with its token.
    pub delivery: Arc<Delivery>,
    /// How its attempt ended.
    pub outcome: Outcome,
}

impl Settlement {
    /// The end of an attempt of a task that was delivered.
    pub fn new(delivery: impl Into<Arc<Delivery>>, outcome: Outcome) -> Self {
        Self { delivery: delivery.into(), outcome }
    }

    /// How long its result is to be kept, if its message says so.
    pub fn retention(&self) -> Option<Duration> {
        self.delivery.message.as_ref().ok().and_then(|message| message.retention)
    }
}

/// Ends of attempts, all of one named queue, and perhaps the next claim.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SettleRequest {
    /// The named queue.
    pub queue: Name,
    /// At most [`Batch::MAX`](crate::Batch::MAX).
    pub settlements: Vec<Settlement>,
    /// A claim on the same queue, carried out after the settlements; it does not wait.
    pub then: Option<Claim>,
}

impl SettleRequest {
    /// Ends of attempts, with no claim after them.
    pub fn new(queue: Name, settlements: Vec<Settlement>) -> Self {
        Self { queue, settlements, then: None }
    }

    /// The same with a claim after them.
    #[must_use]
    pub fn then(self, claim: Claim) -> Self {
        Self { then: Some(claim), ..self }
    }
}

/// The answers to a [`SettleRequest`].
#[derive(Debug)]
#[non_exhaustive]
pub struct SettleReply {
    /// One for each settlement, in their order.
    pub answers: Vec<SettleAnswer>,
    /// The answer to the claim, if there was one.
    pub claimed: Option<Result<Claimed, QueueError>>,
}

impl SettleReply {
    /// Answers to settlements, with no claim after them.
    pub fn new(answers: Vec<SettleAnswer>) -> Self {
        Self { answers, claimed: None }
    }
}

/// What became of one settlement. Exhaustive on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettleAnswer {
    /// The attempt has ended so.
    Done,
    /// This very settlement was carried out before: its answer was lost.
    AlreadyDone,
    /// The token is not the current one: the worker has lost the task, and nothing has changed.
    Stale,
}
