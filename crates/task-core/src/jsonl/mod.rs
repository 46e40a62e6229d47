//! Tasks as lines of JSON: what `--input` and `taskctl import` read, and what `taskctl export` writes.
//!
//! A line is an object. Its keys are the flags of `taskctl enqueue` with underscores, and all but `task` may be left
//! out; an unknown key makes a bad line, so that a slip is never a silent default:
//!
//! | key | meaning |
//! |---|---|
//! | `task` | the name of the task |
//! | `params` | its input, any JSON; default `{}` |
//! | `params_base64` | instead of `params`: MessagePack in base64, for what JSON can't say |
//! | `id`, `queue_name`, `priority` | as the flags |
//! | `delay` or `at` | start so long after now (`"5s"`, or a number of seconds), or at a time in RFC 3339 |
//! | `expires` or `expires_at` | cancelled unless it has started by then |
//! | `unique` or `unique_in_queue` | the key that it holds while it is live |
//! | `max_retries`, `max_crashes`, `timeout`, `retention` | as in [`TaskOptions`](crate::TaskOptions) |
//! | `backoff` | the waits before retries: `"1s..10m"` doubles, `"5s"` stays, or `{"initial": "1s", "max": "10m", "jitter": true}` |
//! | `headers` | an object of texts; as a flag `--header NAME=VALUE` |
//! | `parent`, `root`, `trace` | where it came from, kept by an export |
//!
//! ```
//! use task_core::{Name, jsonl};
//!
//! let line = r#"{"task": "word_count", "params": {"path": "README.md"}, "id": "a", "delay": "5s"}"#;
//! let message = jsonl::read(line, &Name::DEFAULT_QUEUE)?;
//! assert_eq!(message.name, "word_count");
//! assert_eq!(jsonl::read(&jsonl::write(&message)?, &Name::DEFAULT_QUEUE)?, message);
//!
//! let error = jsonl::read(r#"{"task": "word_count", "dealy": 5}"#, &Name::DEFAULT_QUEUE).unwrap_err();
//! assert!(error.to_string().contains("unknown field `dealy`"));
//! # Ok::<(), jsonl::InvalidLine>(())
//! ```

mod fields;
mod lines;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

pub use lines::{Lines, MAX_LINE};
use serde_json::error::Category;

use crate::{Moment, Name, Shown, TaskId, TaskMessage, Timestamp, UniqueKey, UniqueScope, encode};
use fields::{Backoff, Fields, Span};

/// What is said where one of the numbers of a line is none.
const NUMBERS: [(&str, &str); 3] = [
    (", expected i64", ", expected a whole number"),
    (", expected u32", ", expected a whole number from 0 up"),
    (", expected u8", ", expected a whole number from 0 to 255"),
];

/// A line that is no task; the message says what is wrong with it, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidLine(String);

impl InvalidLine {
    fn new(message: impl ToString) -> Self {
        Self(crate::printable(&message.to_string()))
    }

    /// Without the number of the line within the text, which is always 1 here.
    fn json(error: &serde_json::Error) -> Self {
        let mut words = error.to_string().replace(" at line 1 column ", ", at column ");
        for (of_rust, of_people) in NUMBERS {
            words = words.replace(of_rust, of_people);
        }
        match error.classify() {
            _ if words.starts_with("recursion limit") => {
                Self::new(format!("its params are nested too deep: at most {} levels", crate::MAX_DEPTH - 1))
            }
            Category::Syntax | Category::Eof => Self::new(format!("it is no JSON: {words}")),
            Category::Data | Category::Io => Self::new(words),
        }
    }
}

/// Params out of JSON, as they travel; the order of keys is kept.
///
/// # Errors
/// If the text is no JSON, or is nested too deep.
pub fn params(json: &str) -> Result<Vec<u8>, InvalidLine> {
    let value: crate::transcode::Value = serde_json::from_str(json).map_err(|e| InvalidLine::json(&e))?;
    encode(&value).map_err(InvalidLine::new)
}

/// A task out of a line; `queue` is where it goes unless the line says it.
///
/// # Errors
/// If the line is no JSON object, or a key or a value of it can't be.
pub fn read(line: &str, queue: &Name) -> Result<TaskMessage, InvalidLine> {
    if !line.trim_start().starts_with('{') {
        // serde would take the values of an array for the keys in their order
        let wrong = "it is no JSON object; write {\"task\": \"word_count\", \"params\": {…}}";
        return Err(InvalidLine::new(wrong));
    }
    let fields: Fields = serde_json::from_str(line).map_err(|e| InvalidLine::json(&e))?;
    let params = match (&fields.params, &fields.params_base64) {
        (Some(_), Some(_)) => return Err(both("params", "params_base64")),
        (_, Some(text)) => BASE64
            .decode(text)
            .map_err(|error| InvalidLine::new(format!("params_base64 is not base64: {error}")))?,
        (Some(value), None) => encode(value).map_err(InvalidLine::new)?,
        (None, None) => vec![0x80],
    };
    let id = fields.id.clone().unwrap_or_else(TaskId::new);
    let (parent, root, trace) = (fields.parent.clone(), fields.root.clone(), fields.trace.clone());
    let mut options = crate::TaskOptions {
        start: moment(("delay", fields.delay), ("at", fields.at))?,
        expires: moment(("expires", fields.expires), ("expires_at", fields.expires_at))?,
        unique: unique(fields.unique, fields.unique_in_queue)?,
        priority: fields.priority,
        max_retries: fields.max_retries,
        max_crashes: fields.max_crashes,
        backoff: fields.backoff.map(|backoff| backoff.0),
        timeout: fields.timeout.map(|span| span.0),
        retention: fields.retention.map(|span| span.0),
        headers: fields.headers,
        ..Default::default()
    };
    options = options.queue(fields.queue_name.unwrap_or_else(|| queue.clone()).to_string());
    let mut message =
        TaskMessage::new(id, fields.task.to_string(), params, options).map_err(InvalidLine::new)?;
    (message.parent, message.root, message.trace) = (parent, root, trace);
    Ok(message)
}

/// The line of a task, which [`read`] reads back. A time from now is written as the time that it means, if the
/// message says when it was enqueued.
///
/// # Errors
/// If its params are no MessagePack.
pub fn write(message: &TaskMessage) -> Result<String, InvalidLine> {
    let json = serde_json::to_string(&Shown(&message.params)).map_err(|e| InvalidLine::json(&e))?;
    // what comes back other than it was (binary, numbers of 32 bits, keys that are no text) travels as it is
    let exact = params(&json).is_ok_and(|back| back == message.params);
    let value = if exact { serde_json::from_str(&json).ok() } else { None };
    let (delay, at) = split(message.start, message.enqueued_at);
    let (expires, expires_at) = split(message.expires, message.enqueued_at);
    let key = |scope| message.unique.as_ref().filter(|unique| unique.scope == scope).map(|u| u.key.clone());
    let fields = Fields {
        task: message.name.clone(),
        params_base64: value.is_none().then(|| BASE64.encode(&message.params)),
        params: value,
        id: Some(message.id.clone()),
        queue_name: Some(message.queue.clone()),
        priority: Some(message.priority).filter(|p| *p != TaskMessage::DEFAULT_PRIORITY),
        delay,
        at,
        expires,
        expires_at,
        unique: key(UniqueScope::Task),
        unique_in_queue: key(UniqueScope::Queue),
        max_retries: message.max_retries,
        max_crashes: Some(message.max_crashes).filter(|n| *n != TaskMessage::DEFAULT_MAX_CRASHES),
        timeout: message.timeout.map(Span),
        retention: message.retention.map(Span),
        backoff: message.backoff.map(Backoff),
        headers: message.headers.clone(),
        parent: message.parent.clone(),
        root: message.root.clone(),
        trace: message.trace.clone(),
    };
    serde_json::to_string(&fields).map_err(|e| InvalidLine::json(&e))
}

fn both(one: &str, other: &str) -> InvalidLine {
    InvalidLine::new(format!("`{one}` and `{other}` exclude each other"))
}

fn moment(
    (relative, span): (&str, Option<Span>),
    (absolute, time): (&str, Option<Timestamp>),
) -> Result<Option<Moment>, InvalidLine> {
    match (span, time) {
        (Some(_), Some(_)) => Err(both(relative, absolute)),
        (Some(span), None) => Ok(Some(Moment::In(span.0))),
        (None, time) => Ok(time.map(Moment::At)),
    }
}

fn split(moment: Option<Moment>, enqueued_at: Option<Timestamp>) -> (Option<Span>, Option<Timestamp>) {
    match (moment, enqueued_at) {
        (Some(Moment::In(span)), None) => (Some(Span(span)), None),
        (Some(moment), now) => (None, Some(moment.from(now.unwrap_or_default()))),
        (None, _) => (None, None),
    }
}

fn unique(task: Option<String>, queue: Option<String>) -> Result<Option<UniqueKey>, InvalidLine> {
    match (task, queue) {
        (Some(_), Some(_)) => Err(both("unique", "unique_in_queue")),
        (Some(key), None) => Ok(Some(UniqueKey { key, scope: UniqueScope::Task })),
        (None, key) => Ok(key.map(|key| UniqueKey { key, scope: UniqueScope::Queue })),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use serde_json::json;

    use super::*;
    use crate::{RetryPolicy, TaskOptions};

    fn error(line: &str) -> String {
        read(line, &Name::DEFAULT_QUEUE).unwrap_err().to_string()
    }

    #[test]
    fn a_message_with_everything_comes_back_as_it_was() {
        let options = TaskOptions::default()
            .queue("mail")
            .priority(7)
            .at(Timestamp::from_millis(5_000))
            .expires(Duration::from_millis(90_500))
            .unique_in_queue("k")
            .max_retries(0)
            .max_crashes(1)
            .backoff(RetryPolicy::fixed(Duration::from_secs(2)))
            .timeout(Duration::from_millis(1_250))
            .retention(Duration::from_secs(60))
            .header("user", "ann");
        let params = params(r#"{"z": 1, "a": [null, -2.5, "ü"]}"#).unwrap();
        let mut message = TaskMessage::new("x".parse().unwrap(), "send", params, options).unwrap();
        message.parent = Some("p".parse().unwrap());
        let line = write(&message).unwrap();
        assert!(line.contains(r#""params":{"z":1,"a":[null,-2.5,"ü"]}"#), "{line}");
        assert_eq!(read(&line, &Name::DEFAULT_QUEUE).unwrap(), message);
    }

    #[test]
    fn params_that_json_cannot_say_travel_unchanged() {
        let params = encode(&BTreeMap::from([(7, serde_bytes::Bytes::new(b"\x00\xff"))])).unwrap();
        let message =
            TaskMessage::new(TaskId::new(), "send", params.clone(), TaskOptions::default()).unwrap();
        let line = write(&message).unwrap();
        assert!(line.contains("params_base64"), "{line}");
        assert_eq!(read(&line, &Name::DEFAULT_QUEUE).unwrap().params, params);
    }

    #[test]
    fn a_delay_is_exported_as_the_time_that_it_meant() {
        let options = TaskOptions::default().delay(Duration::from_secs(60));
        let mut message = TaskMessage::new("a".parse().unwrap(), "send", vec![0x80], options).unwrap();
        message.enqueued_at = Some(Timestamp::from_millis(1_000));
        let back = read(&write(&message).unwrap(), &Name::DEFAULT_QUEUE).unwrap();
        assert_eq!(back.start, Some(Moment::At(Timestamp::from_millis(61_000))));
    }

    #[test]
    fn a_short_line_has_defaults() {
        let message = read(r#"{"task":"send"}"#, &"mail".parse().unwrap()).unwrap();
        assert_eq!(serde_json::to_value(Shown(&message.params)).unwrap(), json!({}));
        assert_eq!((message.queue.as_str(), message.priority), ("mail", 50));
        let message = read(r#"{"task":"send","delay":0.5,"timeout":"2m"}"#, &Name::DEFAULT_QUEUE).unwrap();
        assert_eq!(message.start, Some(Moment::In(Duration::from_millis(500))));
        assert_eq!(message.timeout, Some(Duration::from_secs(120)));
    }

    #[test]
    fn a_backoff_is_an_object_or_a_text() {
        let backoff = |json: &str| {
            let line = format!(r#"{{"task":"send","backoff":{json}}}"#);
            read(&line, &Name::DEFAULT_QUEUE).unwrap().backoff.unwrap()
        };
        let (one, ten) = (Duration::from_secs(1), Duration::from_secs(600));
        assert_eq!(backoff(r#""1s..10m""#), RetryPolicy::exponential(one, ten));
        assert_eq!(backoff(r#"{"initial": 1, "max": "10m"}"#), RetryPolicy::exponential(one, ten));
        assert_eq!(backoff(r#""1s""#), RetryPolicy::fixed(one));
        let steady = backoff(r#"{"initial": 1, "max": 1, "jitter": false}"#);
        assert_eq!(steady, RetryPolicy::fixed(one));
    }

    #[test]
    fn a_bad_line_is_told_what_is_wrong_with_it() {
        for (line, part) in [
            ("{", "it is no JSON: EOF"),
            ("not json", "it is no JSON object; write {\"task\""),
            (r#"["send", {}]"#, "it is no JSON object"),
            ("{}", "missing field `task`"),
            (r#"{"task":"two words"}"#, "`two words` is not a name"),
            (r#"{"task":"a","dealy":1}"#, "unknown field `dealy`"),
            (r#"{"task":"a","id":"ü"}"#, "is not a task id"),
            (r#"{"task":"a","delay":"soon"}"#, "`soon` is not a duration"),
            (r#"{"task":"a","delay":-1}"#, "`-1` is not a duration"),
            (r#"{"task":"a","at":"tomorrow"}"#, "is not a time"),
            (r#"{"task":"a","at":"2026-01-31T18:00:00Z","delay":1}"#, "`delay` and `at` exclude"),
            (r#"{"task":"a","priority":101}"#, "priority 101"),
            (r#"{"task":"a","priority":400}"#, "priority 400"),
            (r#"{"task":"a","priority":"high"}"#, "string \"high\", expected a whole number"),
            (r#"{"task":"a","max_retries":-1}"#, "`-1`, expected a whole number from 0 up"),
            (r#"{"task":"a","max_crashes":256}"#, "`256`, expected a whole number from 0 to 255"),
            (r#"{"task":"a","unique":""}"#, "unique key"),
            (r#"{"task":"a","backoff":"slow"}"#, "`slow` is not a duration"),
            (r#"{"task":"a","backoff":5}"#, "such as \"1s..10m\""),
            (r#"{"task":"a","backoff":{"initial":1,"max":2,"first":3}}"#, "unknown field `first`"),
            (r#"{"task":"a","params_base64":"?"}"#, "not base64"),
            ("{\"task\":\"a\",\"\\u001b[2J\":1}", "unknown field `\\u{1b}[2J`"),
        ] {
            let error = error(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn json_that_is_nested_too_deep_is_a_bad_line_and_no_overflow() {
        let deep = format!(r#"{{"task":"a","params":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(error(&deep).contains("nested too deep"), "{}", error(&deep));
    }
}
