//! The state machine step by step, by a clock that stands still unless a test moves it.

mod bounds;
mod fencing;
mod invariants;
mod leases;
mod order;
mod table;

use std::{sync::Arc, time::Duration};

use task_core::{
    Claim, Enqueued, Failure, FailureKind, Incarnation, Name, Outcome, Registration, ResultMessage,
    SettleAnswer, TaskId, TaskMessage, TaskOptions, TaskStatus, Timestamp, Token,
};

use super::{
    Apply, Beat, BeatReply, End, Enqueue, Granted, Limits, Look, NewTask, Settle, State, Stored, WorkerClosed,
};

const QUEUE: Name = Name::DEFAULT_QUEUE;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

fn error() -> Failure {
    Failure::new(FailureKind::Error, "no")
}

fn value() -> Outcome {
    Outcome::Completed { result: vec![0xc3].into() }
}

/// A worker, simulated: it counts its claims, and runs nothing.
#[derive(Clone)]
struct Sim {
    incarnation: Incarnation,
    registration: Arc<Registration>,
    claims: u64,
}

impl Sim {
    fn new(names: &[&str]) -> Self {
        let names = names.iter().map(|name| name.parse().unwrap());
        Self {
            incarnation: Incarnation::new(),
            registration: Registration::new("w", names).into(),
            claims: 0,
        }
    }

    fn next_claim(&mut self, tasks: usize, idle: bool) -> Claim {
        self.claims += 1;
        self.claim(self.claims, tasks, idle)
    }

    fn claim(&self, number: u64, tasks: usize, idle: bool) -> Claim {
        let mut claim = Claim::new(QUEUE, self.incarnation, self.registration.clone(), number);
        (claim.max_tasks, claim.idle) = (tasks, idle);
        claim
    }
}

struct Bench {
    state: State,
    now: Timestamp,
    requests: u32,
}

/// After so many requests the state is written and read, unless it is large.
const REOPENED: u32 = 61;

impl Bench {
    fn new() -> Self {
        Self::with(Limits { waiting: None, completed: 1000, replayable: 1000 })
    }

    fn with(limits: Limits) -> Self {
        let now = Timestamp::from_millis(1_764_000_000_000);
        Self { state: State::new(QUEUE, limits, now), now, requests: 0 }
    }

    fn apply<R: Apply>(&mut self, request: R) -> R::Reply {
        let reply = self.state.apply(request, self.now);
        self.requests += 1;
        if self.requests.is_multiple_of(REOPENED) && self.state.tasks.len() < 50 {
            self.reopen();
        }
        reply
    }

    /// Writes the state down and reads it again: whatever follows shows whether something was lost.
    fn reopen(&mut self) {
        let effects = self.state.take_effects();
        let written = rmp_serde::to_vec(&self.state).unwrap();
        self.state = rmp_serde::from_slice(&written).unwrap();
        assert_eq!(rmp_serde::to_vec(&self.state).unwrap(), written);
        self.state.effects = effects;
    }

    /// Moves the clock on, while the queue is in use.
    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while self.now < end {
            self.now = end.min(self.now + secs(5));
            self.state.apply(super::Tick, self.now);
        }
    }

    fn enqueue(&mut self, text: &str, options: TaskOptions) -> Enqueued {
        let message = TaskMessage::new(id(text), "a", vec![0xc0], options).unwrap();
        let task = NewTask::new(message, self.now);
        self.apply(Enqueue(vec![task])).pop().unwrap()
    }

    fn queued(&mut self, text: &str) {
        assert_eq!(self.enqueue(text, TaskOptions::default()), Enqueued::Queued);
    }

    /// The ids that a claim brings.
    fn take(&mut self, worker: &mut Sim, tasks: usize) -> Vec<String> {
        ids(&self.apply(&worker.next_claim(tasks, true)).unwrap())
    }

    fn start(&mut self, worker: &mut Sim, text: &str) -> Token {
        assert_eq!(self.take(worker, 1), [text]);
        Token::new(worker.incarnation, worker.claims)
    }

    fn end(&mut self, text: &str, token: Token, outcome: Outcome) -> SettleAnswer {
        let ends = vec![End { id: id(text), token, outcome }];
        self.apply(Settle { ends, then: None }).answers[0]
    }

    fn beat(&mut self, worker: &Sim) -> BeatReply {
        let (incarnation, registration) = (worker.incarnation, worker.registration.clone());
        let (worker, progress) = (incarnation, Vec::new());
        self.apply(Beat { worker, registration, heard: 0, holds: None, busy: 0, progress })
    }

    fn record(&mut self, text: &str) -> ResultMessage {
        match self.apply(Look(&id(text))) {
            Stored::Live(record) => *record,
            Stored::Final(record) => ResultMessage::from_record(QUEUE, id(text), &record).unwrap(),
            other => panic!("{text} is {other:?}"),
        }
    }

    fn status(&mut self, text: &str) -> TaskStatus {
        self.record(text).status
    }

    /// Lets a worker die under what it holds.
    fn die(&mut self, worker: &Sim) -> u64 {
        self.apply(super::Release(worker.incarnation))
    }
}

fn ids(granted: &Granted) -> Vec<String> {
    granted.tasks.iter().map(|grant| grant.record.id.to_string()).collect()
}

fn closed<T: std::fmt::Debug>(reply: Result<T, WorkerClosed>) {
    assert_eq!(reply.unwrap_err(), WorkerClosed);
}
