use std::time::Duration;

use serde_json::Value;
use task_core::{
    Enqueued, Explanation, Failure, FailureKind, Incarnation, Name, QueueStats, Reason, Registration,
    ResultMessage, TaskId, TaskMessage, TaskOptions, TaskStatus, Timestamp, WorkerInfo,
};

use super::*;

const NOW: u64 = 1_800_000_000_000;

fn view(json: bool) -> View {
    View { json, width: None, colours: false, now: Timestamp::from_millis(NOW) }
}

fn record(status: TaskStatus) -> ResultMessage {
    let message =
        TaskMessage::new("a".parse().unwrap(), "count", vec![0xc0], TaskOptions::default()).unwrap();
    let mut record = ResultMessage::pending(&message, Timestamp::from_millis(NOW - 90_000));
    record.status = status;
    record
}

fn explained(record: ResultMessage, reasons: Vec<Reason>) -> Answer {
    Answer::Explained { explanation: Box::new(Explanation::new(record, reasons)), slots: None }
}

#[test]
fn what_a_task_said_does_not_speak_to_the_terminal() {
    let mut record = record(TaskStatus::Failed);
    record.error = Some(Failure::new(FailureKind::Error, "\u{1b}[2J\u{9b}31mgone\nnext"));
    record.worker = Some("w\u{7}".into());
    for answer in [
        Answer::Result(Box::new(record.clone())),
        Answer::Status(Box::new(record.clone())),
        Answer::Tasks { tasks: vec![record.clone()], more: false },
        explained(record, vec![Reason::Running { worker: "\u{1b}".into(), millis: 1 }]),
    ] {
        for json in [true, false] {
            let printed = render(&answer, &view(json));
            let text = printed.out + &printed.err;
            assert!(text.lines().all(|line| !line.contains(char::is_control)), "{text:?}");
            assert!(text.contains("gone\\nnext") || text.contains("runs on"), "{text}");
        }
    }
}

#[test]
fn json_is_one_object_a_line_and_says_the_same_with_its_escapes() {
    let mut failed = record(TaskStatus::Failed);
    failed.error = Some(Failure::new(FailureKind::Error, "\u{9b}a\n\"b\"\\"));
    let printed =
        render(&Answer::Tasks { tasks: vec![failed, record(TaskStatus::Pending)], more: true }, &view(true));
    let objects: Vec<Value> = printed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["error"]["message"], "\u{9b}a\n\"b\"\\");
    assert!(printed.err.contains("--limit"), "{}", printed.err);
}

#[test]
fn an_explanation_as_json_is_the_record_with_its_reasons() {
    let reasons = vec![Reason::Paused, Reason::Behind { tasks: 812 }];
    let answer = explained(record(TaskStatus::Pending), reasons);
    let object: Value = serde_json::from_str(&render(&answer, &view(true)).out).unwrap();
    assert_eq!((&object["id"], &object["status"]), (&"a".into(), &"PENDING".into()));
    assert_eq!(object["reasons"][1]["tasks"], 812);
    assert!(render(&answer, &view(false)).out.starts_with("PENDING: the queue is paused; behind 812\n"));
}

#[test]
fn colours_are_for_terminals() {
    let answer = Answer::Status(Box::new(record(TaskStatus::Failed)));
    let coloured = View { width: Some(80), colours: true, ..view(false) };
    assert!(render(&answer, &coloured).out.contains("\u{1b}["));
    assert!(!render(&answer, &view(false)).out.contains('\u{1b}'));
}

#[test]
fn a_table_can_be_cut_by_column() {
    let mut running = record(TaskStatus::Running);
    (running.attempts, running.worker) = (2, Some("worker_1".into()));
    let text = render(&Answer::Tasks { tasks: vec![running], more: false }, &view(false)).out;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "TASK", "STATUS", "ATTEMPTS", "ENQUEUED", "WORKER", "WHAT"]);
    assert_eq!(lines[1], ["a", "count", "RUNNING", "2", "1m", "30s", "ago", "worker_1"]);
}

#[test]
fn an_id_alone_is_printed_for_scripts_and_what_is_to_be_said_beside_it() {
    let id: TaskId = "a".parse().unwrap();
    let answer = |answer, waits| Answer::Enqueued {
        id: id.clone(),
        queue: Name::DEFAULT_QUEUE,
        task: "t".parse().unwrap(),
        answer,
        waits,
    };
    let there = Enqueued::Exists { status: TaskStatus::Running, same: true };
    assert_eq!(render(&answer(Enqueued::Queued, false), &view(false)).out, "a\n");
    assert_eq!(render(&answer(Enqueued::Queued, true), &view(false)).out, "");
    assert_eq!(render(&answer(there.clone(), false), &view(false)).out, "a\n");
    let object: Value = serde_json::from_str(&render(&answer(there, false), &view(true)).out).unwrap();
    assert_eq!((&object["enqueued"], &object["reason"]), (&false.into(), &"already_there".into()));
    let refused = render(&answer(Enqueued::DuplicateOf("b".parse().unwrap()), false), &view(false));
    assert!(refused.out.is_empty() && refused.err.contains("task b"), "{refused:?}");
}

#[test]
fn a_result_is_printed_as_the_json_that_it_is() {
    let mut done = record(TaskStatus::Completed);
    done.result = Some(task_core::jsonl::params(r#"{"words":3,"note":"a\u001b"}"#).unwrap().into());
    assert_eq!(
        render(&Answer::Result(Box::new(done)), &view(false)).out,
        "{\"words\":3,\"note\":\"a\\u001b\"}\n"
    );
}

#[test]
fn workers_and_queues_are_listed() {
    let mut stats = QueueStats::new(Name::DEFAULT_QUEUE);
    let registration = Registration::new("worker_1", ["count".parse().unwrap()]);
    let since = Timestamp::from_millis(NOW) - Duration::from_secs(7200);
    stats.workers.push(WorkerInfo::new(Incarnation::new(), &registration, since));
    stats.paused = true;
    let workers = render(&Answer::Workers { stats: Box::new(stats.clone()) }, &view(false)).out;
    assert!(
        workers.contains("worker_1") && workers.contains("2h ago") && workers.contains("count"),
        "{workers}"
    );
    let queues = vec![(Name::DEFAULT_QUEUE, Some(stats)), ("mail".parse().unwrap(), None)];
    let text = render(&Answer::Queues(queues), &view(false)).out;
    assert!(text.contains("paused") && text.contains("mail"), "{text}");
}

#[test]
fn a_table_fits_the_terminal_and_is_whole_elsewhere() {
    let mut failed = record(TaskStatus::Failed);
    failed.error = Some(Failure::new(FailureKind::Error, "word ".repeat(12)));
    let answer = Answer::Tasks { tasks: vec![failed], more: false };
    let narrow = View { width: Some(80), ..view(false) };
    assert!(render(&answer, &narrow).out.lines().all(|line| line.len() <= 80));
    assert_eq!(render(&answer, &view(false)).out.lines().count(), 2);
}
