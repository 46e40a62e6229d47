//! What travels. A request may arrive late, more than once, and its reply may be lost.

use crate::id::{Incarnation, Task, Token};

/// What a client asks of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Request {
    /// A producer's.
    Enqueue(Task),
    /// For one task. The answers to all claims up to `acked` have arrived.
    Claim {
        /// Who claims, and the number of the claim.
        token: Token,
        /// The last claim whose tasks have arrived.
        acked: u8,
    },
    /// Ends an attempt.
    Settle {
        /// The right to it.
        token: Token,
        /// What ran.
        task: Task,
        /// How it ended.
        end: End,
    },
    /// A heartbeat's word of what its worker holds.
    Holds {
        /// Who says so.
        holder: Incarnation,
        /// The answers to its claims up to this one have arrived.
        up_to: u8,
        /// Of these, the claim whose task it holds.
        claim: Option<u8>,
    },
    /// The orchestrator's, after the process is gone.
    Release(Incarnation),
}

/// How an attempt ends, as its worker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// It returned a value.
    Value,
    /// An error, a panic, a timeout.
    Failure,
    /// It stopped since a cancel was asked for.
    Stopped,
    /// Given back at shutdown.
    Released,
    /// The worker has no code of that name.
    UnknownName,
}

/// What the backend answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// To an enqueue: it is there.
    Stored,
    /// To a claim: this task.
    Given(Task),
    /// To a claim: there is nothing.
    Nothing,
    /// To a claim: this incarnation is closed for good.
    Closed,
    /// To a settlement: done, already done, or stale: in each case there is nothing left to do.
    Settled,
    /// To a release.
    Released,
    /// To a heartbeat.
    Heard,
}
