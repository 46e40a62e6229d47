//! A task's record out of what a script's `view` says of it. Scripts decode nothing that users wrote, so the counts and
//! times that they keep are laid over the record that a worker settled last.

use bytes::Bytes;
use task_core::{
    Failure, FailureKind, Lookup, Name, Progress, QueueError, ResultMessage, TaskId, TaskMessage,
    TaskOptions, TaskStatus, Timestamp, WireError,
};

use crate::{
    ids::id_of,
    reply::{Reply, corrupt},
    wire::Value,
};

/// What the store knows of an id.
pub(crate) enum Seen {
    /// A task.
    Task(Box<Task>),
    /// The end of one whose retention is over, and which task it was.
    Gone(TaskStatus, u64),
}

/// A task as it is stored, and its record.
pub(crate) struct Task {
    /// Its message, while it is kept.
    pub(crate) stored: Bytes,
    /// What is known of it.
    pub(crate) record: ResultMessage,
    /// Until when its record is kept, if it is final.
    until: Option<Timestamp>,
    /// The params were dropped from its message.
    bare: bool,
}

/// The digits of a time.
const TIMES: usize = 13;
/// The bytes of an ended record before its progress and the record itself: when it ended, until when it is kept, its
/// status, a fingerprint, and how long the progress is.
const HEADER: usize = 2 * TIMES + 1 + 8 + 1;

/// The beginning of results that ended together, are kept as long, and have one status.
pub(crate) fn ended_times(ended: Timestamp, keep: u64, status: &str) -> String {
    let ended = ended.as_millis();
    format!("{ended:013}{:013}{status}", ended.saturating_add(keep))
}

/// A result as it is stored, in parts: its [beginning](ended_times), fingerprint, no progress, and the record.
pub(crate) fn ended_parts<'a>(times: &'a str, fingerprint: &'a [u8; 8], record: &'a [u8]) -> [&'a [u8]; 4] {
    [times.as_bytes(), fingerprint, &[0], record]
}

/// What is known of a task that was just claimed for the first time: `start` is when.
pub(crate) fn claimed(
    queue: &Name,
    id: TaskId,
    message: Result<&TaskMessage, &WireError>,
    start: Option<Timestamp>,
) -> Result<ResultMessage, QueueError> {
    let mut record = pending(queue, id, message)?;
    (record.status, record.attempts) = (TaskStatus::Running, 1);
    (record.due_at, record.started_at) = (None, start);
    Ok(record)
}

/// Reads a view.
pub(crate) fn read(queue: &Name, view: Value) -> Result<Seen, QueueError> {
    let mut view = Reply::new(view)?;
    let stored_id = view.text()?;
    let id = id_of(&stored_id)?;
    let stored = view.bytes()?;
    match stored.first() {
        Some(b'G') => {
            let status = status_of(stored.get(1).copied());
            let print = stored.slice(2.min(stored.len())..);
            // a record of a message is longer than a fingerprint
            let message = TaskMessage::from_record(queue.clone(), id, &print);
            Ok(Seen::Gone(status, message.map_or_else(|_| fingerprint(&print), |m| m.fingerprint())))
        }
        Some(b'0'..=b'9') => ended(queue, id, &stored).map(|task| Seen::Task(Box::new(task))),
        _ => live(queue, id, stored, view).map(|task| Seen::Task(Box::new(task))),
    }
}

impl Seen {
    /// As an answer about the id, at this time.
    pub(crate) fn lookup(self, now: Timestamp) -> Lookup {
        match self {
            Self::Gone(..) => Lookup::Expired,
            Self::Task(task) if task.until.is_some_and(|until| until <= now) => Lookup::Expired,
            Self::Task(task) => task.record.into(),
        }
    }

    /// Its message, if that is kept at this time.
    pub(crate) fn stored(self, now: Timestamp) -> Option<Bytes> {
        match self {
            Self::Gone(..) => None,
            Self::Task(task) if task.bare || task.until.is_some_and(|until| until <= now) => None,
            Self::Task(task) => Some(task.stored).filter(|stored| !stored.is_empty()),
        }
    }

    /// Its status, and which task it is.
    pub(crate) fn identity(&self) -> (TaskStatus, u64) {
        match self {
            Self::Gone(status, fingerprint) => (*status, *fingerprint),
            Self::Task(task) => (task.record.status, task.record.fingerprint),
        }
    }
}

fn time_at(stored: &[u8], at: usize) -> Option<Timestamp> {
    let digits = std::str::from_utf8(stored.get(at..at + TIMES)?).ok()?;
    digits.parse().ok().map(Timestamp::from_millis)
}

fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

/// A task that its worker ended, and whose message is not kept: COMPLETED or SKIPPED.
fn ended(queue: &Name, id: TaskId, stored: &Bytes) -> Result<Task, QueueError> {
    let damaged = || corrupt(&format!("the record of task {id} in queue `{queue}` is damaged"));
    let finished = time_at(stored, 0).ok_or_else(damaged)?;
    let until = time_at(stored, TIMES).ok_or_else(damaged)?;
    let progress = usize::from(*stored.get(HEADER - 1).ok_or_else(damaged)?);
    if stored.len() < HEADER + progress {
        return Err(damaged());
    }
    let body = stored.slice(HEADER + progress..);
    let mut record = ResultMessage::from_record(queue.clone(), id.clone(), &body).map_err(|_| damaged())?;
    record.finished_at = Some(finished);
    record.progress = read_progress(&stored[HEADER..HEADER + progress]);
    patch(&mut record, finished);
    Ok(Task { stored: Bytes::new(), record, until: Some(until), bare: false })
}

/// A worker doesn't know the backend's time to the millisecond, and must be able to send the same bytes again: it leaves
/// the time of the last error out.
fn patch(record: &mut ResultMessage, at: Timestamp) {
    if let Some(last) = record.errors.last_mut()
        && last.at == Timestamp::default()
    {
        last.at = at;
    }
}

fn read_progress(stored: &[u8]) -> Option<Progress> {
    let at = time_at(stored, 0)?;
    let fraction = f32::from_be_bytes(stored.get(TIMES..TIMES + 4)?.try_into().ok()?);
    Some(Progress::new(fraction, String::from_utf8_lossy(&stored[TIMES + 4..]), at))
}

/// Progress as it is stored, but for its time.
pub(crate) fn write_progress(progress: &Progress) -> Vec<u8> {
    [&progress.fraction.to_be_bytes(), progress.note.as_bytes()].concat()
}

fn status_of(letter: Option<u8>) -> TaskStatus {
    match letter {
        Some(b'R') => TaskStatus::Running,
        Some(b'T') => TaskStatus::Retry,
        Some(b'C') => TaskStatus::Completed,
        Some(b'F') => TaskStatus::Failed,
        Some(b'S') => TaskStatus::Skipped,
        Some(b'X') => TaskStatus::Cancelled,
        _ => TaskStatus::Pending,
    }
}

/// What a message alone tells.
fn pending(
    queue: &Name,
    id: TaskId,
    message: Result<&TaskMessage, &WireError>,
) -> Result<ResultMessage, QueueError> {
    if let Ok(message) = message {
        return Ok(ResultMessage::pending(message, message.enqueued_at.unwrap_or_default()));
    }
    // what can't be read has no name; its worker settles it by the error that the delivery shows
    let message = TaskMessage::new(id, "unreadable", Bytes::new(), TaskOptions::default())?;
    let mut record = ResultMessage::pending(&message, Timestamp::default());
    record.queue = queue.clone();
    Ok(record)
}

/// A task whose message is kept.
fn live(queue: &Name, id: TaskId, stored: Bytes, mut view: Reply) -> Result<Task, QueueError> {
    let message = TaskMessage::from_record(queue.clone(), id.clone(), &stored);
    let mut record = pending(queue, id.clone(), message.as_ref())?;
    if view.is_empty() {
        return Ok(Task { stored, record, until: None, bare: false });
    }
    let mut count = || view.number().map(|n| n as u32);
    let (attempts, failures, crashes, releases, generation) =
        (count()?, count()?, count()?, count()?, count()?);
    let settled = view.bytes()?;
    let settled_at = Timestamp::from_millis(view.number()?);
    if !settled.is_empty()
        && let Ok(mut last) = ResultMessage::from_record(queue.clone(), id, &settled)
    {
        patch(&mut last, settled_at);
        last.enqueued_at = record.enqueued_at;
        last.fingerprint = record.fingerprint;
        record = last;
    }
    let why = view.text()?;
    let cancelled_over_it = view.flag()?;
    let (ended_at, until) = (view.number()?, view.number()?);
    let status = status_of(view.text()?.bytes().next());
    let label = view.text()?;
    let last_start = view.number()?;
    let due = view.number()?;
    record.progress = read_progress(&view.bytes()?);
    record.cancel_requested = view.flag()?;
    let held = view.text()?;
    let print = view.bytes()?;
    if !print.is_empty() {
        record.fingerprint = fingerprint(&print);
    }
    let running = status == TaskStatus::Running;
    record.status = status;
    record.attempts = attempts + u32::from(running);
    (record.failures, record.crashes) = (failures, crashes);
    (record.releases, record.generation) = (releases, generation);
    record.worker = Some(label).filter(|label| !label.is_empty()).map(Into::into);
    let start_time =
        if running { start(&held) } else { Some(last_start).filter(|t| *t > 0).map(Timestamp::from_millis) };
    record.started_at = start_time;
    record.due_at = Some(due).filter(|due| *due > 0).map(Timestamp::from_millis);
    record.finished_at = Some(ended_at).filter(|at| *at > 0 && status.is_final()).map(Timestamp::from_millis);
    record.error = match status {
        TaskStatus::Pending | TaskStatus::Running => None,
        TaskStatus::Cancelled if cancelled_over_it => Some(reason("asked", crashes)),
        _ if !why.is_empty() => Some(reason(&why, crashes)),
        _ => record.error,
    };
    let until = status.is_final().then(|| Timestamp::from_millis(until));
    let bare = view.flag()?;
    Ok(Task { stored, record, until, bare })
}

/// When a task was started, by what it is held.
pub(crate) fn start(held: &str) -> Option<Timestamp> {
    held.rsplit_once('@')?.1.parse().ok().map(Timestamp::from_millis)
}

/// Why a script ended a task.
fn reason(why: &str, crashes: u32) -> Failure {
    let (kind, words) = match why {
        "cancelled" => (FailureKind::Cancelled, "cancelled before it ran".to_owned()),
        "asked" => (FailureKind::Cancelled, "cancelled while it ran".to_owned()),
        "expired" => (FailureKind::Expired, "it had not started when its time was over".to_owned()),
        "purged" => (FailureKind::Purged, "its queue was purged".to_owned()),
        "unknown" => {
            (FailureKind::UnknownName, "no live worker had code of its name for 10 minutes".to_owned())
        }
        "crashed" | "lost" => {
            let times = if crashes == 1 { "once".to_owned() } else { format!("{crashes} times") };
            let died = if why == "lost" {
                "its end was lost, or its worker died under it,"
            } else {
                "its worker died under it"
            };
            (FailureKind::Crashed, format!("{died} {times}"))
        }
        other => (FailureKind::Other, other.to_owned()),
    };
    Failure::new(kind, words)
}
