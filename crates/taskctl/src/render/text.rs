//! Answers for people.

mod explain;
mod queue;
mod table;
mod task;

use std::time::Duration;

use task_core::{
    CancelAnswer, ControlAnswer, Enqueued, Name, TaskId, TaskStatus, Timestamp, format_duration,
};

pub(crate) use table::terminal_width;

use super::{Printed, View, plain};
use crate::answer::{Answer, Deed, Imported, Refusal};

pub(super) fn render(answer: &Answer, view: &View) -> Printed {
    match answer {
        Answer::Enqueued { id, queue, answer, waits, .. } => enqueued(id, queue, answer, *waits),
        Answer::Result(record) => task::result(record),
        Answer::Status(record) => Printed::out(task::all_of(record, view)),
        Answer::Explained { explanation, slots } => {
            Printed::out(explain::explained(explanation, *slots, view))
        }
        Answer::Waits(explanation) => Printed::err(format!("waiting: {}", explain::why(explanation, None))),
        Answer::NoTask { id, queue, elsewhere: Some(other), .. } => Printed::err(format!(
            "error: task {id} is not in queue `{queue}`, but in `{other}`: add --queue-name {other}"
        )),
        Answer::NoTask { id, queue, expired: false, .. } => Printed::err(no_task(id, queue)),
        Answer::NoTask { id, queue, expired: true, .. } => Printed::err(format!(
            "error: task {id} of queue `{queue}` ended, and what was known of it has expired"
        )),
        Answer::Cancelled { id, queue, answer } => cancelled(id, queue, answer),
        Answer::Controlled { deed, id, queue, answer, unused } => {
            let mut printed = controlled(*deed, id.as_ref(), queue, answer);
            if *unused {
                printed.err.push_str(&format!(
                    "nobody has enqueued anything in `{queue}` yet; `taskctl queues` lists the named queues\n"
                ));
            }
            printed
        }
        Answer::ReplayedAll(replayed) => Printed::out(format!("replayed {}", tasks_of(*replayed))),
        Answer::Tasks { tasks, more } => Printed {
            out: task::list(tasks, view),
            err: match (tasks.is_empty(), more) {
                (true, _) => "no such tasks\n".into(),
                (false, true) => "there are more: raise --limit\n".into(),
                (false, false) => String::new(),
            },
        },
        Answer::Stats { stats, backend } => queue::stats(stats, backend, view),
        Answer::Workers { stats } => queue::workers(stats, view),
        Answer::Queues(found) => queue::queues(found, view),
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
            err: match status {
                TaskStatus::Failed | TaskStatus::Cancelled => {
                    format!(
                        "it was there already, and is {status}; `replay` in place of `enqueue` runs it again\n"
                    )
                }
                status => format!("it was there already, and is {status}\n"),
            },
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

fn no_task(id: &TaskId, queue: &Name) -> String {
    format!("error: there is no task {id} in queue `{queue}`, nor in another")
}

fn cancelled(id: &TaskId, queue: &Name, answer: &CancelAnswer) -> Printed {
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
        CancelAnswer::NotFound => Printed::err(no_task(id, queue)),
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
        (ControlAnswer::NotFound, _) => {
            Printed::err(format!("error: there is no task {id} in queue `{queue}`, nor in another"))
        }
        (other, _) => Printed::err(format!("error: the queue answered {other:?}")),
    }
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
