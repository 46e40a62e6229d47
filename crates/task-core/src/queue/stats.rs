use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Incarnation, Name, ResultMessage, TaskStatus, Timestamp, format_duration};

/// How a named queue stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct QueueStats {
    /// The named queue.
    pub queue: Name,
    /// Tasks that are PENDING, for whatever reason.
    pub pending: u64,
    /// Of these, those whose time has not come.
    pub delayed: u64,
    /// Of these, those of a name that no worker had code for.
    pub unknown_name: u64,
    /// Of these, those that wait for a process of their own.
    pub suspects: u64,
    /// Tasks that are RUNNING.
    pub running: u64,
    /// Tasks that are in RETRY.
    pub retry: u64,
    /// Results kept of COMPLETED tasks.
    pub completed: u64,
    /// Results kept of FAILED tasks.
    pub failed: u64,
    /// Results kept of SKIPPED tasks.
    pub skipped: u64,
    /// Results kept of CANCELLED tasks.
    pub cancelled: u64,
    /// How long the task that waits longest among those that could start has waited, in seconds.
    pub oldest_pending_secs: Option<f64>,
    /// Nothing is given out.
    pub paused: bool,
    /// The most tasks that may wait, if there is a limit.
    pub limit: Option<u64>,
    /// What has happened since the queue began.
    pub totals: Totals,
    /// Tasks enqueued a minute, over the last minute or so.
    pub enqueued_per_minute: f64,
    /// Tasks that became final a minute, over the last minute or so.
    pub finished_per_minute: f64,
    /// The workers that are alive.
    pub workers: Vec<WorkerInfo>,
}

impl QueueStats {
    /// An empty queue.
    pub fn new(queue: Name) -> Self {
        Self {
            queue,
            pending: 0,
            delayed: 0,
            unknown_name: 0,
            suspects: 0,
            running: 0,
            retry: 0,
            completed: 0,
            failed: 0,
            skipped: 0,
            cancelled: 0,
            oldest_pending_secs: None,
            paused: false,
            limit: None,
            totals: Totals::default(),
            enqueued_per_minute: 0.0,
            finished_per_minute: 0.0,
            workers: Vec::new(),
        }
    }

    /// How many tasks are in this status.
    pub fn count(&self, status: TaskStatus) -> u64 {
        match status {
            TaskStatus::Pending => self.pending,
            TaskStatus::Running => self.running,
            TaskStatus::Retry => self.retry,
            TaskStatus::Completed => self.completed,
            TaskStatus::Failed => self.failed,
            TaskStatus::Skipped => self.skipped,
            TaskStatus::Cancelled => self.cancelled,
        }
    }

    /// How many tasks are not final.
    pub fn live(&self) -> u64 {
        self.pending + self.running + self.retry
    }
}

/// What has happened in a named queue since it began; these only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// Tasks taken in.
    pub enqueued: u64,
    /// Tasks that COMPLETED.
    pub completed: u64,
    /// Tasks that FAILED, each time.
    pub failed: u64,
    /// Tasks that were SKIPPED.
    pub skipped: u64,
    /// Tasks that were CANCELLED, purged ones too, without the expired.
    pub cancelled: u64,
    /// Tasks that expired before their first start.
    pub expired: u64,
    /// Failed attempts that were tried again.
    pub retried: u64,
    /// Tasks given back by workers that stopped.
    pub released: u64,
    /// Tasks given back, or failed, because their worker was released after its death.
    pub recovered_released: u64,
    /// Tasks given back, or failed, because their worker's lease ended.
    pub recovered_lease: u64,
    /// Tasks given back, or failed, because their worker held them no more, and how they ended was lost.
    pub recovered_lost: u64,
    /// Tasks that were replayed.
    pub replayed: u64,
    /// Results dropped before their time, over the cap by count.
    pub dropped_results: u64,
}

/// A worker that is alive.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Which start of it.
    pub incarnation: Incarnation,
    /// WORKER_ID.
    pub label: String,
    /// Its machine.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// The names that it has code for.
    pub names: Vec<Name>,
    /// How many tasks it runs at once.
    pub concurrency: u32,
    /// How many tasks of this queue it ran at its last beat.
    pub busy: u32,
    /// When it registered.
    pub since: Timestamp,
    /// When its last sign of life came.
    pub seen: Timestamp,
}

impl WorkerInfo {
    /// A worker that registered at `now`.
    pub fn new(incarnation: Incarnation, registration: &crate::Registration, now: Timestamp) -> Self {
        Self {
            incarnation,
            label: registration.label.to_string(),
            host: registration.host.clone(),
            pid: registration.pid,
            names: registration.names.clone(),
            concurrency: registration.concurrency,
            busy: 0,
            since: now,
            seen: now,
        }
    }
}

/// Which tasks a list is of.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Filter {
    /// Of this status; `None`: of any.
    pub status: Option<TaskStatus>,
    /// Of this name; `None`: of any.
    pub name: Option<Name>,
    /// Where to go on: the `next` of the page before.
    pub cursor: Option<String>,
    /// At most so many; at least 1, at most 1000.
    pub limit: usize,
}

impl Filter {
    /// Any tasks, at most so many a page.
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.clamp(1, 1000), ..Self::default() }
    }
}

/// A page of a list.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Page {
    /// Its tasks, by state and, within one, in the backend's order: the next to run first, the last to end first.
    pub tasks: Vec<ResultMessage>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

impl Page {
    /// These tasks, and where to go on.
    pub fn new(tasks: Vec<ResultMessage>, next: Option<String>) -> Self {
        Self { tasks, next }
    }
}

/// Why a task is where it is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// What is known of it.
    pub record: ResultMessage,
    /// Every reason why it does not run, the weightiest first; if it runs or is final, what is to be said of that.
    pub reasons: Vec<Reason>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The queue is paused.
    Paused,
    /// No worker of this queue is alive.
    NoWorkers,
    /// None, or few, of the live workers have code of its name.
    NameKnownBy {
        /// So many know it.
        knowing: u64,
        /// Of so many.
        workers: u64,
    },
    /// Its time has not come: delayed, or between attempts.
    DueIn {
        /// Milliseconds until then.
        millis: u64,
    },
    /// Its worker died under it twice or more: it waits for a process of its own.
    Suspect {
        /// How often its worker died.
        crashes: u32,
    },
    /// Others come first.
    Behind {
        /// So many, at least.
        tasks: u64,
    },
    /// It runs.
    Running {
        /// Where.
        worker: String,
        /// For how long, in milliseconds.
        millis: u64,
    },
    /// It runs, and a cancel was asked for.
    CancelRequested,
    /// It is final.
    Final,
}

impl Explanation {
    /// Why a task is where it is, as far as its record says it.
    pub fn from_record(record: ResultMessage) -> Self {
        let mut reasons = Vec::new();
        let now = Timestamp::now();
        match record.status {
            status if status.is_final() => reasons.push(Reason::Final),
            TaskStatus::Running => {
                let millis = record.started_at.map_or(0, |start| now.since(start).as_millis() as u64);
                reasons.push(Reason::Running {
                    worker: record.worker.as_deref().unwrap_or_default().into(),
                    millis,
                });
                if record.cancel_requested {
                    reasons.push(Reason::CancelRequested);
                }
            }
            _ => {
                if let Some(due) = record.due_at.filter(|due| *due > now) {
                    reasons.push(Reason::DueIn { millis: due.since(now).as_millis() as u64 });
                }
            }
        }
        Self { record, reasons }
    }

    /// An explanation out of its parts.
    pub fn new(record: ResultMessage, reasons: Vec<Reason>) -> Self {
        Self { record, reasons }
    }
}

/// For people: `paused; 0 of 4 workers know it; behind 812; due in 14s`.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, reason) in self.reasons.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            let name = &self.record.task;
            match reason {
                Reason::Paused => f.write_str("the queue is paused")?,
                Reason::NoWorkers => f.write_str("no worker of this queue is alive")?,
                Reason::NameKnownBy { knowing, workers } => {
                    write!(f, "{knowing} of {workers} workers know `{name}`")?;
                }
                Reason::DueIn { millis } => write!(f, "due in {}", short(*millis))?,
                Reason::Suspect { crashes } => {
                    write!(f, "its worker died under it {crashes} times: it waits for a process of its own")?;
                }
                Reason::Behind { tasks } => write!(f, "behind {tasks}")?,
                Reason::Running { worker, millis } => {
                    write!(f, "runs on {} for {}", worker.escape_debug(), short(*millis))?;
                }
                Reason::CancelRequested => f.write_str("cancel asked for")?,
                Reason::Final => write!(f, "it is final: {}", self.record.status)?,
            }
        }
        if self.reasons.is_empty() {
            f.write_str("it is next to run")?;
        }
        Ok(())
    }
}

/// To the second, from a second on.
fn short(millis: u64) -> String {
    let whole = if millis >= 1000 { millis.div_ceil(1000) * 1000 } else { millis };
    format_duration(Duration::from_millis(whole))
}
