//! Answers as JSON, one object a line.

use serde::Serialize;
use serde_json::{Value, json};
use task_core::{CancelAnswer, ControlAnswer, Enqueued, Name, QueueStats, Reason, ResultMessage, jsonl};

use super::plain;
use crate::answer::{Answer, Slots};

#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    record: &'a ResultMessage,
    reasons: &'a [Reason],
    explanation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    slots: Option<Slots>,
}

#[derive(Serialize)]
struct Stats<'a> {
    #[serde(flatten)]
    stats: &'a QueueStats,
    backend: &'a str,
    durability: String,
    warnings: &'a [String],
}

/// The objects of an answer; `None` where it is for people alone.
pub(super) fn render(answer: &Answer) -> Option<String> {
    Some(match answer {
        Answer::Enqueued { id, queue, task, answer, .. } => {
            let mut object =
                json!({"id": id, "task": task, "queue": queue, "enqueued": *answer == Enqueued::Queued});
            let (reason, more) = match answer {
                Enqueued::Queued => (Value::Null, None),
                Enqueued::Exists { same: true, status } => {
                    ("already_there".into(), Some(("status", json!(status))))
                }
                Enqueued::Exists { same: false, status } => {
                    ("conflict".into(), Some(("status", json!(status))))
                }
                Enqueued::DuplicateOf(owner) => ("duplicate".into(), Some(("duplicate_of", json!(owner)))),
                Enqueued::Full => ("full".into(), None),
                other => (format!("{other:?}").into(), None),
            };
            if !reason.is_null() {
                object["reason"] = reason;
            }
            if let Some((key, value)) = more {
                object[key] = value;
            }
            line(&object)
        }
        Answer::Result(record) | Answer::Status(record) => line(record),
        Answer::Explained { explanation, slots } => line(&Explained {
            record: &explanation.record,
            reasons: &explanation.reasons,
            explanation: explanation.to_string(),
            slots: *slots,
        }),
        Answer::Cancelled { id, queue, answer } => {
            let (word, status) = match answer {
                CancelAnswer::Cancelled => ("cancelled", None),
                CancelAnswer::Requested => ("requested", None),
                CancelAnswer::AlreadyFinal(status) => ("already_final", Some(status)),
                CancelAnswer::NotFound => ("not_found", None),
                _ => ("other", None),
            };
            let mut object = json!({"id": id, "queue": queue, "answer": word});
            if let Some(status) = status {
                object["status"] = json!(status);
            }
            line(&object)
        }
        Answer::Controlled { deed, id, queue, answer, .. } => {
            let mut object = json!({"command": deed.as_str(), "queue": queue});
            if let Some(id) = id {
                object["id"] = json!(id);
            }
            let (word, more) = match answer {
                ControlAnswer::Done(tasks) => ("done", Some(("tasks", json!(tasks)))),
                ControlAnswer::WrongStatus(status) => ("wrong_status", Some(("status", json!(status)))),
                ControlAnswer::DuplicateOf(owner) => ("duplicate", Some(("duplicate_of", json!(owner)))),
                ControlAnswer::ParamsDropped => ("params_dropped", None),
                ControlAnswer::NotFound => ("not_found", None),
                _ => ("other", None),
            };
            object["answer"] = json!(word);
            if let Some((key, value)) = more {
                object[key] = value;
            }
            line(&object)
        }
        Answer::ReplayedAll(replayed) => {
            line(&json!({"command": "replay", "answer": "done", "tasks": replayed}))
        }
        Answer::Tasks { tasks, .. } => tasks.iter().map(line).collect(),
        Answer::Stats { stats, backend } => line(&Stats {
            stats,
            backend: &backend.backend,
            durability: backend.durability.to_string(),
            warnings: &backend.warnings,
        }),
        Answer::Workers { stats } => stats.workers.iter().map(line).collect(),
        Answer::Queues(queues) => queues.iter().map(queue).collect(),
        Answer::Imported(done) => line(done),
        Answer::Message(message) => {
            // stored params are MessagePack, or the message would not have been read
            jsonl::write(message).map(|text| format!("{}\n", plain(&text))).unwrap_or_default()
        }
        Answer::Waits(_) | Answer::NoTask { .. } | Answer::Refused(_) | Answer::Exported { .. } => {
            return None;
        }
    })
}

fn queue((name, stats): &(Name, Option<QueueStats>)) -> String {
    stats.as_ref().map_or_else(|| line(&json!({"queue": name})), line)
}

fn line<T: Serialize>(value: &T) -> String {
    // what is serialized here has texts for keys, so it can be written; a line that can't says so itself
    let text =
        serde_json::to_string(value).unwrap_or_else(|error| json!({"error": error.to_string()}).to_string());
    format!("{}\n", plain(&text))
}
