use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Incarnation, Name, Progress, Registration, TaskId, Token, WorkerCommand};

/// A worker's sign of life in one named queue.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Heartbeat {
    /// The named queue.
    pub queue: Name,
    /// Who lives.
    pub worker: Incarnation,
    /// What it says of itself: by a beat it tells of another concurrency, too.
    pub registration: Arc<Registration>,
    /// The commands up to this number have arrived: [`HeartbeatReply::told`] of the answer before.
    pub heard: u64,
    /// What it holds of what its claims brought, where it says so: of these claims, it holds nothing else.
    pub holds: Option<Holds>,
    /// How many tasks of this queue it runs now: for people to look at.
    pub busy: u32,
    /// What its tasks say of how far they are.
    pub progress: Vec<ProgressUpdate>,
    /// Stay so long, after the lease was moved on, until there is something to say.
    pub wait: Duration,
}

impl Heartbeat {
    /// A sign of life that does not wait, has no progress to tell, and says nothing of what its worker holds.
    pub fn new(queue: Name, worker: Incarnation, registration: Arc<Registration>) -> Self {
        let (holds, progress, wait) = (None, Vec::new(), Duration::ZERO);
        Self { queue, worker, registration, heard: 0, holds, busy: 0, progress, wait }
    }
}

/// What an incarnation holds of what some of its claims brought: attempts whose end the backend has not confirmed yet.
///
/// A backend that lost writes, in a failover or a power cut, may know of a claim and not of the ends of its tasks, which
/// their worker has long forgotten. What it has RUNNING under one of these claims and does not find here is held by nobody.
/// What is said here once stays true, so a beat may arrive late, or twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Holds {
    /// It speaks of the claims up to this number: the answer to each of them has arrived.
    pub up_to: u64,
    /// The tasks, with the numbers of the claims that brought them, these in growing order; at most [`Holds::MOST`].
    pub tasks: Vec<(u64, TaskId)>,
    /// Claims of which it says nothing all the same: they are under way, or brought nothing so far and may still; at most
    /// [`Claim::IN_FLIGHT`](crate::Claim::IN_FLIGHT).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<u64>,
}

impl Holds {
    /// So many tasks are named in one beat. A worker that holds more speaks of fewer claims.
    pub const MOST: usize = 1000;

    /// These tasks, and nothing else of what claims up to this number brought.
    pub fn new(up_to: u64, tasks: Vec<(u64, TaskId)>) -> Self {
        Self { up_to, tasks, except: Vec::new() }
    }

    /// Whether it speaks of this claim.
    pub fn speaks_of(&self, claim: u64) -> bool {
        claim <= self.up_to && !self.except.contains(&claim)
    }
}

/// How far a running task says it is. With a token that is not the current one it changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProgressUpdate {
    /// The task.
    pub id: TaskId,
    /// The attempt.
    pub token: Token,
    /// How far it is.
    pub progress: Progress,
}

impl ProgressUpdate {
    /// What a task says of how far it is.
    pub fn new(id: TaskId, token: Token, progress: Progress) -> Self {
        Self { id, token, progress }
    }
}

/// The answer to a [`Heartbeat`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeartbeatReply {
    /// The incarnation was released or its lease ended: nothing that it holds is its own any more.
    pub closed: bool,
    /// Of its running tasks, those that are to be cancelled. Told again at each beat until they have ended.
    pub cancel: Vec<(TaskId, Token)>,
    /// What the worker is told to do, oldest first. Told again at each beat until one says that it was
    /// [heard](Heartbeat::heard), since an answer may be lost.
    pub commands: Vec<WorkerCommand>,
    /// The number of the last of these commands; 0 if there is none. A backend numbers them from 1 up over all workers of the
    /// named queue, so that no number comes twice: a worker that goes on under another incarnation may still say the last
    /// one that it heard before.
    pub told: u64,
    /// The worker is asked to run empty, as in [`Claimed::run_empty`](crate::Claimed::run_empty). Told again at each
    /// beat while it holds.
    pub run_empty: bool,
}
