//! Why a task is where it is, and what to do about it.

use std::time::Duration;

use task_core::{Explanation, FailureKind, Reason, ResultMessage, TaskStatus};

use super::{age, short, task::value};
use crate::{
    answer::Slots,
    render::{View, plain},
};

/// A task has no timeout unless somebody sets one: after so long without a word it may hang.
const LONG: Duration = Duration::from_secs(3600);

/// A line that says why, and below it what else there is to know or to do, a line each.
pub(super) fn explained(explanation: &Explanation, slots: Option<Slots>, view: &View) -> String {
    let record = &explanation.record;
    let mut text = format!("{}\n", why(explanation, slots));
    let more = if record.status.is_final() { ended(record, view) } else { remedies(explanation, view) };
    for line in more {
        text.push_str(&format!("  {}\n", plain(&line)));
    }
    text
}

/// Its status, and every reason for it.
pub(super) fn why(explanation: &Explanation, slots: Option<Slots>) -> String {
    let record = &explanation.record;
    let mut why = match (&record.error, &record.result) {
        (Some(error), _) if record.status.is_final() => error.message.clone(),
        (None, Some(_)) => format!("it returned {}", value(record)),
        (None, None) if record.status.is_final() => "it returned nothing".into(),
        _ => explanation.to_string(),
    };
    if let Some(Slots { busy, all }) = slots.filter(|slots| slots.busy >= slots.all && slots.all > 0) {
        why.push_str(&format!("; {busy} of {all} slots are busy"));
    }
    format!("{}: {}", record.status, plain(&why))
}

fn ended(record: &ResultMessage, view: &View) -> Vec<String> {
    let mut when = record.finished_at.map_or_else(String::new, |at| format!("{}, ", age(at, view.now)));
    when.push_str(&attempts(record));
    if let Some(worker) = record.worker.as_deref().filter(|_| record.attempts > 0) {
        let last = if record.attempts > 1 { ", the last on" } else { ", on" };
        when.push_str(&format!("{last} {worker}"));
    }
    let says_so = record.error.as_ref().is_some_and(|error| error.kind == FailureKind::Crashed);
    if record.crashes > 0 && !says_so {
        when.push_str(&format!("; its worker died under it {}", times(record.crashes)));
    }
    let mut lines = vec![when];
    if says_so {
        lines.push("how each worker ended: the orchestrator's log, in its lines `ended`".into());
    }
    if record.errors.len() > 1 {
        lines.push(format!("each attempt: {}", again(record, "status")));
    }
    if matches!(record.status, TaskStatus::Failed | TaskStatus::Cancelled) {
        lines.push(format!("to run it again: {}", again(record, "replay")));
    }
    lines
}

fn remedies(explanation: &Explanation, view: &View) -> Vec<String> {
    let record = &explanation.record;
    let queue = word(record.queue.as_str());
    let mut lines: Vec<String> = explanation
        .reasons
        .iter()
        .filter_map(|reason| match reason {
            Reason::Paused => Some(format!("to go on: taskctl resume {queue}")),
            Reason::NoWorkers => {
                Some(format!("to start workers: task-orchestrator -q QUEUE --queue-name {queue}"))
            }
            Reason::NameKnownBy { knowing: 0, .. } => Some(format!(
                "start a worker that has code of `{}`: with none for ten minutes it fails. What each knows: taskctl{} workers",
                record.task,
                in_queue(record),
            )),
            Reason::Suspect { .. } => {
                Some(format!("if it should not get another worker: {}", again(record, "cancel")))
            }
            Reason::CancelRequested => {
                Some("code that blocks a thread can't be stopped: it ends by itself or with its process".into())
            }
            _ => None,
        })
        .collect();
    if let Some(progress) = record.progress.as_ref().filter(|_| record.status == TaskStatus::Running) {
        let (percent, at) = (progress.fraction * 100.0, age(progress.at, view.now));
        lines.push(format!("{percent:.0} % done, it said {at}: {}", progress.note));
    }
    if let Some(silence) = silence(explanation, view).filter(|silence| *silence >= LONG) {
        lines.push(format!(
            "it has not said for {} that it comes on; if it hangs: {}",
            short(silence),
            again(record, "cancel")
        ));
    }
    if let Some(last) = record.errors.last() {
        let (attempt, at) = (last.attempt, age(last.at, view.now));
        lines.push(format!("attempt {attempt} failed {at}: {}", last.failure.message));
    }
    if record.errors.len() > 1 {
        lines.push(format!("each attempt: {}", again(record, "status")));
    }
    lines
}

/// For how long a running task has said nothing of its progress.
fn silence(explanation: &Explanation, view: &View) -> Option<Duration> {
    let running = explanation.reasons.iter().find_map(|reason| match reason {
        Reason::Running { millis, .. } => Some(Duration::from_millis(*millis)),
        _ => None,
    })?;
    let said = explanation.record.progress.as_ref().map(|progress| view.now.since(progress.at));
    Some(said.map_or(running, |said| said.min(running)))
}

fn attempts(record: &ResultMessage) -> String {
    match record.attempts {
        0 => "before its first attempt".into(),
        1 => "at its first attempt".into(),
        n => format!("after {n} attempts"),
    }
}

fn times(n: u32) -> String {
    match n {
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{n} times"),
    }
}

/// What to type to do this with the task.
fn again(record: &ResultMessage, verb: &str) -> String {
    format!("taskctl{} {verb} {}", in_queue(record), word(&record.id.to_string()))
}

fn in_queue(record: &ResultMessage) -> String {
    if record.queue == task_core::Name::DEFAULT_QUEUE {
        return String::new();
    }
    format!(" --queue-name {}", record.queue)
}

/// A word as a shell takes it: an id comes from whoever enqueued, and what is shown here is pasted.
fn word(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.:/@%+,=".contains(c);
    if !text.starts_with('-') && text.chars().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use task_core::{AttemptError, Failure, Progress, TaskMessage, TaskOptions, Timestamp};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn record(id: &str, queue: &str, status: TaskStatus) -> ResultMessage {
        let options = TaskOptions::default().queue(queue.to_owned());
        let message = TaskMessage::new(id.parse().unwrap(), "extract", vec![0xc0], options).unwrap();
        let mut record = ResultMessage::pending(&message, NOW - Duration::from_secs(90));
        record.status = status;
        record
    }

    fn text(record: ResultMessage, reasons: Vec<Reason>, slots: Option<Slots>) -> String {
        let view = View { json: false, width: None, colours: false, now: NOW };
        explained(&Explanation::new(record, reasons), slots, &view)
    }

    #[test]
    fn every_reason_is_counted_and_has_its_remedy() {
        let reasons = vec![
            Reason::Paused,
            Reason::NameKnownBy { knowing: 0, workers: 4 },
            Reason::DueIn { millis: 13_200 },
            Reason::Behind { tasks: 812 },
        ];
        let said = text(record("a", "mail", TaskStatus::Pending), reasons, None);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(
            lines[0],
            "PENDING: the queue is paused; 0 of 4 workers know `extract`; due in 14s; behind 812"
        );
        assert_eq!(lines[1], "  to go on: taskctl resume mail");
        assert!(lines[2].contains("ten minutes") && lines[2].contains("taskctl --queue-name mail workers"));
    }

    #[test]
    fn busy_workers_are_a_reason_and_idle_ones_are_none() {
        let next =
            |busy| text(record("a", "tasks", TaskStatus::Pending), vec![], Some(Slots { busy, all: 4 }));
        assert_eq!(next(4), "PENDING: it is next to run; 4 of 4 slots are busy\n");
        assert_eq!(next(3), "PENDING: it is next to run\n");
    }

    #[test]
    fn of_a_failed_task_it_says_why_when_and_how_to_run_it_again() {
        let mut failed = record("a", "mail", TaskStatus::Failed);
        failed.error = Some(Failure::new(FailureKind::Error, "no route"));
        (failed.attempts, failed.worker) = (4, Some("worker_1".into()));
        failed.finished_at = Some(NOW - Duration::from_secs(180));
        let error = || AttemptError::new(1, NOW, None, Failure::new(FailureKind::Error, "no route"));
        failed.errors = vec![error(), error()];
        assert_eq!(
            text(failed, vec![Reason::Final], None),
            "FAILED: no route\n  3m ago, after 4 attempts, the last on worker_1\n  \
             each attempt: taskctl --queue-name mail status a\n  \
             to run it again: taskctl --queue-name mail replay a\n"
        );
    }

    #[test]
    fn between_attempts_it_says_what_went_wrong_in_the_last() {
        let mut retry = record("a", "tasks", TaskStatus::Retry);
        let failure = Failure::new(FailureKind::Error, "no route");
        retry.error = Some(failure.clone());
        retry.errors = vec![AttemptError::new(2, NOW - Duration::from_secs(3), None, failure)];
        assert_eq!(
            text(retry, vec![Reason::DueIn { millis: 14_000 }], None),
            "RETRY: due in 14s\n  attempt 2 failed 3s ago: no route\n"
        );
    }

    /// Without a timeout a hanging task looks like one that works.
    #[test]
    fn a_task_that_runs_for_an_hour_without_a_word_is_told_from_one_that_comes_on() {
        let hour = Duration::from_secs(3600);
        let runs = |progress: Option<Progress>| {
            let mut record = record("a", "tasks", TaskStatus::Running);
            record.progress = progress;
            text(record, vec![Reason::Running { worker: "w".into(), millis: 7_200_000 }], None)
        };
        assert!(runs(None).contains("not said for 2h") && runs(None).contains("taskctl cancel a"));
        assert!(runs(Some(Progress::new(0.5, "half", NOW - hour))).contains("not said for 1h"));
        let comes_on = runs(Some(Progress::new(0.5, "half", NOW - Duration::from_secs(60))));
        assert_eq!(comes_on, "RUNNING: runs on w for 2h\n  50 % done, it said 1m ago: half\n");
    }

    /// Whoever enqueues chooses the id; an operator pasted what was shown, and ran it.
    #[test]
    fn an_id_that_a_shell_would_run_is_quoted() {
        let mut cancelled = record("$(reboot)'x", "tasks", TaskStatus::Cancelled);
        cancelled.error = Some(Failure::new(FailureKind::Cancelled, "expired"));
        let said = text(cancelled, vec![Reason::Final], None);
        assert!(said.contains(r"taskctl replay '$(reboot)'\''x'"), "{said}");
    }
}
