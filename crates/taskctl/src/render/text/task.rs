//! One task, or a list of them.

use task_core::{ResultMessage, Shown, TaskStatus, Timestamp};

use super::{
    age, short,
    table::{Pairs, Rows, status},
};
use crate::render::{Printed, View, plain};

pub(super) fn result(record: &ResultMessage) -> Printed {
    let id = &record.id;
    match record.status {
        TaskStatus::Completed => Printed::out(value(record)),
        TaskStatus::Failed | TaskStatus::Skipped | TaskStatus::Cancelled => {
            let why =
                record.error.as_ref().map_or(String::new(), |error| format!(": {}", plain(&error.message)));
            let attempts = match record.attempts {
                0 => "before its first attempt".to_owned(),
                1 => "at its first attempt".to_owned(),
                n => format!("after {n} attempts"),
            };
            Printed::err(format!("task {id} is {} {attempts}{why}", record.status))
        }
        status => Printed::err(format!(
            "task {id} is {status}, so there is no result yet; --wait waits for it, and `taskctl explain {id}` says why"
        )),
    }
}

/// What a task returned, as JSON.
pub(super) fn value(record: &ResultMessage) -> String {
    let bytes = record.result.as_deref().unwrap_or(&[0xc0]);
    let json = serde_json::to_string(&Shown(bytes));
    plain(&json.unwrap_or_else(|error| format!("(a result that is no JSON: {error})")))
}

pub(super) fn all_of(record: &ResultMessage, view: &View) -> String {
    let time = |time: Option<Timestamp>| time.map(|at| format!("{at} ({})", age(at, view.now)));
    let count = |n: u32| Some(n).filter(|n| *n > 0).map(|n| n.to_string());
    let progress = record
        .progress
        .as_ref()
        .map(|p| format!("{:.0} %, {}: {}", p.fraction * 100.0, age(p.at, view.now), p.note));
    let mut pairs = Pairs::new()
        .add("id", record.id.to_string())
        .add("task", &record.task)
        .add("queue", &record.queue)
        .add_cell("status", status(record.status))
        .maybe("cancel", record.cancel_requested.then(|| "asked for".to_owned()))
        .maybe("result", record.result.as_ref().map(|_| value(record)))
        .maybe("error", record.error.as_ref().map(|error| format!("{}: {}", error.kind, error.message)))
        .add("attempts", record.attempts.to_string())
        .maybe("failures", count(record.failures))
        .maybe("crashes", count(record.crashes))
        .maybe("given back", count(record.releases))
        .maybe("replayed", count(record.generation))
        .maybe("progress", progress)
        .maybe("enqueued", time(Some(record.enqueued_at)))
        .maybe("due", time(record.due_at))
        .maybe("started", time(record.started_at))
        .maybe("finished", time(record.finished_at))
        .maybe("worker", record.worker.as_deref().map(str::to_owned));
    for error in &record.errors {
        let failure = &error.failure;
        let text =
            format!("{} ({}) {}: {}", error.at, age(error.at, view.now), failure.kind, failure.message);
        pairs = pairs.add(&format!("attempt {}", error.attempt), text);
    }
    pairs.show(view)
}

pub(super) fn list(tasks: &[ResultMessage], view: &View) -> String {
    if tasks.is_empty() {
        return String::new();
    }
    let mut rows = Rows::new(&["id", "task", "status", "attempts", "enqueued", "worker", "what"]);
    for record in tasks {
        let what = match (&record.error, record.due_at) {
            (Some(error), _) => error.message.clone(),
            (None, Some(due)) if due > view.now => format!("due in {}", short(due.since(view.now))),
            _ if record.result.is_some() => value(record),
            _ => String::new(),
        };
        rows.add([
            record.id.to_string().into(),
            record.task.as_str().into(),
            status(record.status),
            record.attempts.to_string().into(),
            age(record.enqueued_at, view.now).into(),
            plain(record.worker.as_deref().unwrap_or_default()).into(),
            cut(&plain(&what), 60).into(),
        ]);
    }
    rows.show(view)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
