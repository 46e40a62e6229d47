//! A [`ResultMessage`] as JSON: the one object that every command prints.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{Failure, Progress, ResultMessage, Shown, TaskStatus};

#[derive(Serialize)]
struct ShownProgress<'a> {
    fraction: f32,
    note: &'a str,
    at: crate::Timestamp,
}

#[derive(Serialize)]
struct ShownError<'a> {
    kind: crate::FailureKind,
    message: &'a str,
}

impl Serialize for ResultMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("task", &self.task)?;
        map.serialize_entry("queue", &self.queue)?;
        map.serialize_entry("status", &self.status)?;
        if let Some(result) = &self.result {
            map.serialize_entry("result", &Shown(result))?;
        }
        if let Some(Failure { kind, message }) = &self.error {
            map.serialize_entry("error", &ShownError { kind: *kind, message })?;
        }
        map.serialize_entry("attempts", &self.attempts)?;
        let counts = [
            ("failures", self.failures),
            ("crashes", self.crashes),
            ("releases", self.releases),
            ("generation", self.generation),
        ];
        for (name, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            map.serialize_entry(name, &count)?;
        }
        map.serialize_entry("enqueued_at", &self.enqueued_at)?;
        if let Some(due) =
            self.due_at.filter(|_| matches!(self.status, TaskStatus::Pending | TaskStatus::Retry))
        {
            map.serialize_entry("due_at", &due)?;
        }
        map.serialize_entry("started_at", &self.started_at)?;
        map.serialize_entry("finished_at", &self.finished_at)?;
        map.serialize_entry("worker", &self.worker)?;
        if let Some(Progress { fraction, note, at }) = &self.progress {
            map.serialize_entry("progress", &ShownProgress { fraction: *fraction, note, at: *at })?;
        }
        if self.cancel_requested {
            map.serialize_entry("cancel_requested", &true)?;
        }
        if !self.errors.is_empty() {
            map.serialize_entry("errors", &self.errors)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        Failure, FailureKind, ResultMessage, TaskMessage, TaskOptions, TaskStatus, Timestamp, encode,
    };

    #[test]
    fn a_result_is_one_flat_object_and_says_no_more_than_there_is_to_say() {
        let message =
            TaskMessage::new("a".parse().unwrap(), "count", vec![0xc0], TaskOptions::default()).unwrap();
        let mut record = ResultMessage::pending(&message, Timestamp::from_millis(1));
        record.status = TaskStatus::Completed;
        record.result = Some(encode(&json!({"words": 3})).unwrap().into());
        let shown = serde_json::to_string(&record).unwrap();
        let expected = r#"{"id":"a","task":"count","queue":"tasks","status":"COMPLETED","result":{"words":3},"attempts":0,"enqueued_at":"1970-01-01T00:00:00.001Z","started_at":null,"finished_at":null,"worker":null}"#;
        assert_eq!(shown, expected);

        record.result = None;
        record.error = Some(Failure::new(FailureKind::Timeout, "took longer than 30s"));
        let shown = serde_json::to_value(&record).unwrap();
        assert_eq!(shown["error"], json!({"kind": "timeout", "message": "took longer than 30s"}));
    }
}
