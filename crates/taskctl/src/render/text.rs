//! Answers for people.

mod table;

use std::time::Duration;

use task_core::{
    CancelAnswer, ControlAnswer, Enqueued, Explanation, Name, QueueStats, ResultMessage, Shown, TaskId,
    TaskStatus, Timestamp, format_duration,
};

use self::table::{Pairs, Rows, status};
use super::{Printed, View, plain};
use crate::answer::{Answer, Deed, Imported, Refusal};

pub(super) fn render(answer: &Answer, view: &View) -> Printed {
    match answer {
        Answer::Enqueued { id, queue, answer, waits, .. } => enqueued(id, queue, answer, *waits),
        Answer::Result(record) => result(record),
        Answer::Status(record) => Printed::out(task(record, view)),
        Answer::Explained(explanation) => Printed::out(explained(explanation)),
        Answer::NoTask { id, queue, expired: false } => Printed::err(format!(
            "error: there is no task {id} in queue `{queue}`; --queue-name names another"
        )),
        Answer::NoTask { id, queue, expired: true } => Printed::err(format!(
            "error: task {id} of queue `{queue}` ended, and what was known of it has expired"
        )),
        Answer::Cancelled { id, answer, .. } => cancelled(id, answer),
        Answer::Controlled { deed, id, queue, answer } => controlled(*deed, id.as_ref(), queue, answer),
        Answer::ReplayedAll(replayed) => Printed::out(format!("replayed {}", tasks_of(*replayed))),
        Answer::Tasks { tasks, more } => Printed {
            out: list(tasks, view),
            err: match (tasks.is_empty(), more) {
                (true, _) => "no such tasks\n".into(),
                (false, true) => "there are more: raise --limit\n".into(),
                (false, false) => String::new(),
            },
        },
        Answer::Stats { stats, backend } => Printed {
            out: format!(
                "{}{}",
                stats_of(stats, view),
                Pairs::new()
                    .add("backend", &backend.backend)
                    .add("keeps tasks", backend.durability.to_string())
                    .show(view)
            ),
            err: backend.warnings.iter().map(|warning| format!("warning: {}\n", plain(warning))).collect(),
        },
        Answer::Workers { stats } => workers(stats, view),
        Answer::Queues(found) => queues(found, view),
        Answer::Message(message) => match task_core::jsonl::write(message) {
            Ok(line) => Printed::out(plain(&line)),
            Err(error) => Printed::err(format!("task {}: {}", message.id, plain(&error.to_string()))),
        },
        Answer::Exported { tasks, gone } => Printed::err(match gone {
            0 => format!("exported {}", tasks_of(*tasks)),
            gone => format!(
                "exported {}; of {gone} more no message is kept any more, or they ended meanwhile",
                tasks_of(*tasks)
            ),
        }),
        Answer::Imported(done) => imported(done),
        Answer::Refused(Refusal { what, why, .. }) => Printed::err(plain(&format!("{what}: {why}"))),
    }
}

fn enqueued(id: &TaskId, queue: &Name, answer: &Enqueued, waits: bool) -> Printed {
    match answer {
        // the result is what is printed then
        Enqueued::Queued if waits => Printed::err(format!("enqueued {id}")),
        Enqueued::Queued => Printed::out(id.to_string()),
        Enqueued::Exists { same: true, status } => Printed {
            out: if waits { String::new() } else { format!("{id}\n") },
            err: format!("it was there already, and is {status}\n"),
        },
        Enqueued::Exists { same: false, status } => Printed::err(format!(
            "error: a task {id} with other params is in queue `{queue}`, and is {status}; give this one another --id"
        )),
        Enqueued::DuplicateOf(owner) => Printed::err(format!(
            "error: not enqueued: task {owner} is live and holds the unique key; `taskctl result {owner} --wait` waits for it"
        )),
        Enqueued::Full => Printed::err(format!(
            "error: queue `{queue}` is full; enqueue again when it has drained, or raise its limit or the server's memory"
        )),
        other => Printed::err(format!("error: the queue answered {other:?}")),
    }
}

fn result(record: &ResultMessage) -> Printed {
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
fn value(record: &ResultMessage) -> String {
    let bytes = record.result.as_deref().unwrap_or(&[0xc0]);
    let json = serde_json::to_string(&Shown(bytes));
    plain(&json.unwrap_or_else(|error| format!("(a result that is no JSON: {error})")))
}

fn task(record: &ResultMessage, view: &View) -> String {
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
        .maybe("worker", record.worker.clone());
    for error in &record.errors {
        let failure = &error.failure;
        let text =
            format!("{} ({}) {}: {}", error.at, age(error.at, view.now), failure.kind, failure.message);
        pairs = pairs.add(&format!("attempt {}", error.attempt), text);
    }
    pairs.show(view)
}

fn explained(explanation: &Explanation) -> String {
    format!("{}: {}", explanation.record.status, plain(&explanation.to_string()))
}

fn cancelled(id: &TaskId, answer: &CancelAnswer) -> Printed {
    match answer {
        CancelAnswer::Cancelled => Printed::out(format!("cancelled {id}")),
        CancelAnswer::Requested => Printed::out(format!(
            "task {id} runs; its worker is told, and it ends as CANCELLED unless it returns a value"
        )),
        CancelAnswer::AlreadyFinal(TaskStatus::Cancelled) => {
            Printed::out(format!("{id} was CANCELLED before"))
        }
        CancelAnswer::AlreadyFinal(status) => {
            Printed::err(format!("error: task {id} had ended before, and is {status}"))
        }
        CancelAnswer::NotFound => {
            Printed::err(format!("error: there is no task {id}; --queue-name names another queue"))
        }
        other => Printed::err(format!("error: the queue answered {other:?}")),
    }
}

fn controlled(deed: Deed, id: Option<&TaskId>, queue: &Name, answer: &ControlAnswer) -> Printed {
    let id = id.map(ToString::to_string).unwrap_or_default();
    match (answer, deed) {
        (ControlAnswer::Done(_), Deed::Replay) => Printed::out(format!("replayed {id}")),
        (ControlAnswer::Done(_), Deed::Delete) => Printed::out(format!("deleted {id}")),
        (ControlAnswer::Done(_), Deed::Pause) => Printed::out(format!(
            "queue `{queue}` is paused: nothing is given out until `taskctl resume {queue}`"
        )),
        (ControlAnswer::Done(_), Deed::Resume) => Printed::out(format!("queue `{queue}` gives tasks out")),
        (ControlAnswer::Done(tasks), Deed::Purge) => {
            Printed::out(format!("cancelled {} of queue `{queue}`", tasks_of(*tasks)))
        }
        (ControlAnswer::WrongStatus(status), Deed::Replay) => {
            Printed::err(format!("error: task {id} is {status}; FAILED and CANCELLED tasks can be replayed"))
        }
        (ControlAnswer::WrongStatus(status), _) => Printed::err(format!(
            "error: task {id} is {status}; cancel it first, since only what is final can be deleted"
        )),
        (ControlAnswer::DuplicateOf(owner), _) => Printed::err(format!(
            "error: task {owner} is live and holds the unique key of {id}; replay it when that one has ended"
        )),
        (ControlAnswer::ParamsDropped, _) => {
            Printed::err(format!("error: the params of task {id} are not kept any more; enqueue it anew"))
        }
        (ControlAnswer::NotFound, _) => Printed::err(format!(
            "error: there is no task {id} in queue `{queue}`; --queue-name names another"
        )),
        (other, _) => Printed::err(format!("error: the queue answered {other:?}")),
    }
}

fn list(tasks: &[ResultMessage], view: &View) -> String {
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

fn stats_of(stats: &QueueStats, view: &View) -> String {
    let busy: u32 = stats.workers.iter().map(|worker| worker.busy).sum();
    let slots: u32 = stats.workers.iter().map(|worker| worker.concurrency).sum();
    let totals = &stats.totals;
    let held =
        [("delayed", stats.delayed), ("of unknown names", stats.unknown_name), ("suspects", stats.suspects)];
    let held: Vec<String> =
        held.iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{n} {word}")).collect();
    let pending = if held.is_empty() {
        stats.pending.to_string()
    } else {
        format!("{} ({})", stats.pending, held.join(", "))
    };
    let oldest = stats.oldest_pending_secs.and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    Pairs::new()
        .add("queue", &stats.queue)
        .maybe("state", stats.paused.then(|| "paused".to_owned()))
        .add("PENDING", pending)
        .add("RUNNING", stats.running.to_string())
        .add("RETRY", stats.retry.to_string())
        .add("COMPLETED", stats.completed.to_string())
        .add("FAILED", stats.failed.to_string())
        .add("SKIPPED", stats.skipped.to_string())
        .add("CANCELLED", stats.cancelled.to_string())
        .maybe("oldest waits", oldest.map(short))
        .maybe("limit", stats.limit.map(|limit| limit.to_string()))
        .add("workers", format!("{}, {busy} of {slots} slots busy", stats.workers.len()))
        .add("a minute", format!("{:.0} in, {:.0} out", stats.enqueued_per_minute, stats.finished_per_minute))
        .add(
            "so far",
            format!(
                "{} in, {} retried, {} recovered from dead workers",
                totals.enqueued,
                totals.retried,
                totals.recovered_released + totals.recovered_lease
            ),
        )
        .show(view)
}

fn workers(stats: &QueueStats, view: &View) -> Printed {
    if stats.workers.is_empty() {
        return Printed::err(format!("no worker of queue `{}` is alive", stats.queue));
    }
    let mut rows = Rows::new(&["worker", "host", "pid", "busy", "since", "seen", "knows"]);
    for worker in &stats.workers {
        let names: Vec<&str> = worker.names.iter().map(Name::as_str).collect();
        rows.add([
            plain(&worker.label).into(),
            plain(&worker.host).into(),
            worker.pid.to_string().into(),
            format!("{} of {}", worker.busy, worker.concurrency).into(),
            age(worker.since, view.now).into(),
            age(worker.seen, view.now).into(),
            names.join(" ").into(),
        ]);
    }
    Printed::out(rows.show(view))
}

fn queues(queues: &[(Name, Option<QueueStats>)], view: &View) -> Printed {
    if queues.is_empty() {
        return Printed::err("no queue was used yet");
    }
    let mut rows = Rows::new(&["queue", "PENDING", "RUNNING", "RETRY", "FAILED", "workers", "state"]);
    for (name, stats) in queues {
        let number =
            |read: fn(&QueueStats) -> u64| stats.as_ref().map(|s| read(s).to_string()).unwrap_or_default();
        rows.add([
            name.as_str().into(),
            number(|s| s.pending).into(),
            number(|s| s.running).into(),
            number(|s| s.retry).into(),
            number(|s| s.failed).into(),
            number(|s| s.workers.len() as u64).into(),
            if stats.as_ref().is_some_and(|s| s.paused) { "paused" } else { "" }.into(),
        ]);
    }
    Printed::out(rows.show(view))
}

fn imported(done: &Imported) -> Printed {
    let rest = [
        ("already there", done.already_there),
        ("refused", done.refused),
        (if done.bad_lines == 1 { "bad line" } else { "bad lines" }, done.bad_lines),
    ];
    let mut text = format!("enqueued {}", tasks_of(done.enqueued));
    for (word, n) in rest.iter().filter(|(_, n)| *n > 0) {
        text.push_str(&format!("; {n} {word}"));
    }
    Printed::out(text)
}

fn tasks_of(n: u64) -> String {
    if n == 1 { "1 task".into() } else { format!("{n} tasks") }
}

/// How long ago, or until when, roughly: clocks differ.
fn age(at: Timestamp, now: Timestamp) -> String {
    if at > now { format!("in {}", short(at.since(now))) } else { format!("{} ago", short(now.since(at))) }
}

/// The two largest units.
fn short(duration: Duration) -> String {
    let whole = if duration.as_secs() > 0 { Duration::from_secs(duration.as_secs()) } else { duration };
    format_duration(whole).split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
