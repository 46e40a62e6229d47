//! The stored records of messages and results, version 1.
//!
//! A record is a prefix of four bytes, which is all that a backend's scripts look at, and a MessagePack map with keys
//! of one or two letters. What is absent has its default; what is unknown is passed over, so that fields can be added.
//! Id and queue are not in it: the store knows them. docs/wire.md documents it for other languages.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    AttemptError, Failure, FailureKind, InvalidName, Moment, Name, Progress, Reserved, ResultMessage,
    RetryPolicy, TaskId, TaskMessage, TaskStatus, Timestamp, UniqueKey, UniqueScope, duration::LONGEST, room,
    timestamp::millis,
};

/// A stored record that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// It was written by a newer release, in a way that this one does not know.
    #[error("its record has version {found}, and this release reads up to {VERSION}; upgrade it")]
    Newer {
        /// The record's version.
        found: u8,
    },
    /// It is no such record, or is damaged.
    #[error("its record can't be read: {0}")]
    Damaged(String),
}

/// The version that this release writes, and the newest that it reads.
const VERSION: u8 = 1;
const MESSAGE: u8 = b'M';
const RESULT: u8 = b'R';
const PREFIX: usize = 4;

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Serialize, Deserialize)]
struct Message<'a> {
    #[serde(rename = "n")]
    name: &'a str,
    #[serde(rename = "p", with = "serde_bytes", borrow)]
    params: &'a [u8],
    #[serde(rename = "e", default, skip_serializing_if = "is_default")]
    enqueued_at: Option<u64>,
    #[serde(rename = "d", default, skip_serializing_if = "is_default")]
    start_in: Option<u64>,
    #[serde(rename = "a", default, skip_serializing_if = "is_default")]
    start_at: Option<u64>,
    #[serde(rename = "xd", default, skip_serializing_if = "is_default")]
    expires_in: Option<u64>,
    #[serde(rename = "xa", default, skip_serializing_if = "is_default")]
    expires_at: Option<u64>,
    #[serde(rename = "u", default, skip_serializing_if = "is_default", borrow)]
    unique: Option<&'a str>,
    #[serde(rename = "uq", default, skip_serializing_if = "is_default")]
    unique_in_queue: bool,
    #[serde(rename = "r", default, skip_serializing_if = "is_default")]
    max_retries: Option<u32>,
    #[serde(rename = "b", default, skip_serializing_if = "is_default")]
    backoff: Option<(u64, u64, bool)>,
    #[serde(rename = "t", default, skip_serializing_if = "is_default")]
    timeout: Option<u64>,
    #[serde(rename = "k", default, skip_serializing_if = "is_default")]
    retention: Option<u64>,
    #[serde(rename = "h", default, skip_serializing_if = "is_default")]
    headers: Cow<'a, BTreeMap<String, String>>,
    #[serde(rename = "pa", default, skip_serializing_if = "is_default")]
    parent: Option<TaskId>,
    #[serde(rename = "ro", default, skip_serializing_if = "is_default")]
    root: Option<TaskId>,
    #[serde(rename = "tr", default, skip_serializing_if = "is_default", borrow)]
    trace: Option<&'a str>,
    #[serde(rename = "ok", default, skip_serializing_if = "is_default", borrow)]
    ordering_key: Option<&'a str>,
    #[serde(rename = "lk", default, skip_serializing_if = "is_default", borrow)]
    limit_key: Option<&'a str>,
    #[serde(rename = "co", default, skip_serializing_if = "is_default")]
    cost: Option<u32>,
    #[serde(rename = "dl", default, skip_serializing_if = "is_default")]
    deadline: Option<u64>,
    #[serde(rename = "pr", default, skip_serializing_if = "is_default", borrow)]
    payload_ref: Option<&'a str>,
    #[serde(rename = "te", default, skip_serializing_if = "is_default", borrow)]
    tenant: Option<&'a str>,
    #[serde(rename = "sh", default, skip_serializing_if = "is_default")]
    schema_hash: Option<u64>,
}

impl TaskMessage {
    /// The message as it is stored: the bytes `M`, version, priority and `max_crashes`, then a MessagePack map.
    pub fn to_record(&self) -> Vec<u8> {
        let at = |moment: Option<Moment>| match moment {
            Some(Moment::At(time)) => Some(time.as_millis()),
            _ => None,
        };
        let in_ = |moment: Option<Moment>| match moment {
            Some(Moment::In(duration)) => Some(millis(duration)),
            _ => None,
        };
        let none = Reserved::default();
        let reserved = self.reserved.as_deref().unwrap_or(&none);
        let body = Message {
            name: self.name.as_str(),
            params: &self.params,
            enqueued_at: self.enqueued_at.map(Timestamp::as_millis),
            start_in: in_(self.start),
            start_at: at(self.start),
            expires_in: in_(self.expires),
            expires_at: at(self.expires),
            unique: self.unique.as_ref().map(|unique| unique.key.as_str()),
            unique_in_queue: self.unique.as_ref().is_some_and(|unique| unique.scope == UniqueScope::Queue),
            max_retries: self.max_retries,
            backoff: self.backoff.map(RetryPolicy::to_wire),
            timeout: self.timeout.map(millis),
            retention: self.retention.map(millis),
            headers: Cow::Borrowed(&self.headers),
            parent: self.parent.clone(),
            root: self.root.clone(),
            trace: self.trace.as_deref(),
            ordering_key: reserved.ordering_key.as_deref(),
            limit_key: reserved.limit_key.as_deref(),
            cost: reserved.cost,
            deadline: reserved.deadline.map(Timestamp::as_millis),
            payload_ref: reserved.payload_ref.as_deref(),
            tenant: reserved.tenant.as_deref(),
            schema_hash: reserved.schema_hash,
        };
        write([MESSAGE, VERSION, self.priority, self.max_crashes], self.params.len(), &body)
    }

    /// A message out of what the store has of it.
    ///
    /// # Errors
    /// [`WireError::Newer`] if a newer release wrote it, [`WireError::Damaged`] if it is no message.
    pub fn from_record(queue: Name, id: TaskId, record: &Bytes) -> Result<Self, WireError> {
        Self::from_record_like(queue, id, None, record)
    }

    /// The same, where the name is likely known, as that of the message before it: what is the same is not allocated twice.
    ///
    /// # Errors
    /// As [`from_record`](Self::from_record).
    pub fn from_record_like(
        queue: Name,
        id: TaskId,
        name: Option<&Name>,
        record: &Bytes,
    ) -> Result<Self, WireError> {
        let (priority, max_crashes, body) = prefix(record, MESSAGE)?;
        let body: Message<'_> = read(body)?;
        let text = |text: Option<&str>| text.map(str::to_owned);
        let duration = |millis: Option<u64>| millis.map(|n| Duration::from_millis(n).min(LONGEST));
        let time = |millis: Option<u64>| millis.map(Timestamp::from_millis);
        let moment = |in_, at| duration(in_).map(Moment::In).or(time(at).map(Moment::At));
        let reserved = Reserved {
            ordering_key: text(body.ordering_key),
            limit_key: text(body.limit_key),
            cost: body.cost,
            deadline: time(body.deadline),
            payload_ref: text(body.payload_ref),
            tenant: text(body.tenant),
            schema_hash: body.schema_hash,
        };
        let scope = if body.unique_in_queue { UniqueScope::Queue } else { UniqueScope::Task };
        Ok(Self {
            id,
            queue,
            name: match name.filter(|name| **name == body.name) {
                Some(name) => name.clone(),
                None => to_name(body.name)?,
            },
            params: part(record, body.params),
            priority,
            max_crashes,
            start: moment(body.start_in, body.start_at),
            expires: moment(body.expires_in, body.expires_at),
            unique: text(body.unique).map(|key| UniqueKey { key, scope }),
            max_retries: body.max_retries,
            backoff: body.backoff.map(RetryPolicy::from_wire),
            timeout: duration(body.timeout),
            retention: duration(body.retention),
            headers: body.headers.into_owned(),
            enqueued_at: time(body.enqueued_at),
            parent: body.parent,
            root: body.root,
            trace: text(body.trace),
            reserved: (!is_default(&reserved)).then(|| reserved.into()),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    #[serde(rename = "n")]
    task: &'a str,
    #[serde(rename = "v", with = "serde_bytes", borrow, default, skip_serializing_if = "is_default")]
    result: Option<&'a [u8]>,
    #[serde(rename = "er", default, skip_serializing_if = "is_default", borrow)]
    error: Option<(FailureKind, &'a str)>,
    #[serde(rename = "at", default, skip_serializing_if = "is_default")]
    attempts: u32,
    #[serde(rename = "fa", default, skip_serializing_if = "is_default")]
    failures: u32,
    #[serde(rename = "cr", default, skip_serializing_if = "is_default")]
    crashes: u32,
    #[serde(rename = "re", default, skip_serializing_if = "is_default")]
    releases: u32,
    #[serde(rename = "ge", default, skip_serializing_if = "is_default")]
    generation: u32,
    #[serde(rename = "e")]
    enqueued_at: u64,
    #[serde(rename = "du", default, skip_serializing_if = "is_default")]
    due_at: Option<u64>,
    #[serde(rename = "s", default, skip_serializing_if = "is_default")]
    started_at: Option<u64>,
    #[serde(rename = "f", default, skip_serializing_if = "is_default")]
    finished_at: Option<u64>,
    #[serde(rename = "w", default, skip_serializing_if = "is_default", borrow)]
    worker: Option<&'a str>,
    #[serde(rename = "pg", default, skip_serializing_if = "is_default", borrow)]
    progress: Option<(f32, &'a str, u64)>,
    #[serde(rename = "ca", default, skip_serializing_if = "is_default")]
    cancel_requested: bool,
    #[serde(rename = "eh", default, skip_serializing_if = "is_default", borrow)]
    errors: Vec<(u32, u64, Option<&'a str>, FailureKind, &'a str)>,
    #[serde(rename = "fp", default, skip_serializing_if = "is_default")]
    fingerprint: u64,
}

impl ResultMessage {
    /// The record as it is stored: the bytes `R`, version, status (its place in [`TaskStatus::ALL`]) and 0, then a
    /// MessagePack map.
    pub fn to_record(&self) -> Vec<u8> {
        let errors = self.errors.iter().map(|error| {
            let (worker, failure) = (error.worker.as_deref(), &error.failure);
            (error.attempt, error.at.as_millis(), worker, failure.kind, failure.message.as_str())
        });
        let body = Record {
            task: self.task.as_str(),
            result: self.result.as_deref(),
            error: self.error.as_ref().map(|failure| (failure.kind, failure.message.as_str())),
            attempts: self.attempts,
            failures: self.failures,
            crashes: self.crashes,
            releases: self.releases,
            generation: self.generation,
            enqueued_at: self.enqueued_at.as_millis(),
            due_at: self.due_at.map(Timestamp::as_millis),
            started_at: self.started_at.map(Timestamp::as_millis),
            finished_at: self.finished_at.map(Timestamp::as_millis),
            worker: self.worker.as_deref(),
            progress: self.progress.as_ref().map(|p| (p.fraction, p.note.as_str(), p.at.as_millis())),
            cancel_requested: self.cancel_requested,
            errors: errors.collect(),
            fingerprint: self.fingerprint,
        };
        write([RESULT, VERSION, self.status as u8, 0], self.result.as_ref().map_or(0, Bytes::len), &body)
    }

    /// A record out of what the store has of it.
    ///
    /// # Errors
    /// [`WireError::Newer`] if a newer release wrote it, [`WireError::Damaged`] if it is no such record.
    pub fn from_record(queue: Name, id: TaskId, record: &Bytes) -> Result<Self, WireError> {
        let (status, _, body) = prefix(record, RESULT)?;
        let unknown = || WireError::Damaged(format!("it has the unknown status {status}"));
        let status = *TaskStatus::ALL.get(usize::from(status)).ok_or_else(unknown)?;
        let body: Record<'_> = read(body)?;
        let time = |millis: Option<u64>| millis.map(Timestamp::from_millis);
        let text = |text: Option<&str>| text.map(str::to_owned);
        let entry = |(attempt, at, worker, kind, message)| {
            let failure = Failure::new(kind, message);
            AttemptError::new(attempt, Timestamp::from_millis(at), text(worker), failure)
        };
        Ok(Self {
            id,
            queue,
            task: to_name(body.task)?,
            status,
            result: body.result.map(|value| part(record, value)),
            error: body.error.map(|(kind, message)| Failure::new(kind, message)),
            attempts: body.attempts,
            failures: body.failures,
            crashes: body.crashes,
            releases: body.releases,
            generation: body.generation,
            enqueued_at: Timestamp::from_millis(body.enqueued_at),
            due_at: time(body.due_at),
            started_at: time(body.started_at),
            finished_at: time(body.finished_at),
            worker: body.worker.map(Into::into),
            progress: body.progress.map(|(f, note, at)| Progress::new(f, note, Timestamp::from_millis(at))),
            cancel_requested: body.cancel_requested,
            errors: body.errors.into_iter().map(entry).collect(),
            fingerprint: body.fingerprint,
        })
    }
}

/// A part of a record. Of one that nobody else holds, what is small is copied: that costs no more than to share it, and the
/// record need not live as long.
fn part(record: &Bytes, part: &[u8]) -> Bytes {
    const SMALL: usize = 1 << 10;
    let copy = part.len() <= SMALL && record.is_unique();
    if copy { Bytes::copy_from_slice(part) } else { record.slice_ref(part) }
}

fn to_name(name: &str) -> Result<Name, WireError> {
    name.parse().map_err(|error: InvalidName| WireError::Damaged(error.to_string()))
}

/// `payload` is how long that part of the body is that may be long.
fn write(prefix: [u8; PREFIX], payload: usize, body: &impl Serialize) -> Vec<u8> {
    let (record, written) = room::filled_with(payload + 200, |record| {
        record.extend_from_slice(&prefix);
        body.serialize(&mut rmp_serde::Serializer::new(record).with_struct_map())
    });
    debug_assert!(written.is_ok(), "strings, numbers and bytes into a Vec can't fail: {written:?}");
    record
}

/// The two bytes that the kind of record defines, and the map.
fn prefix(record: &[u8], kind: u8) -> Result<(u8, u8, &[u8]), WireError> {
    match record {
        [k, VERSION, a, b, body @ ..] if *k == kind => Ok((*a, *b, body)),
        [k, version, ..] if *k == kind && *version > VERSION => Err(WireError::Newer { found: *version }),
        [k, ..] if *k == kind => Err(WireError::Damaged("it breaks off, or has no version".into())),
        [k, ..] => Err(WireError::Damaged(format!("it begins with byte {k:#04x}"))),
        [] => Err(WireError::Damaged("it is empty".into())),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, WireError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(body);
    deserializer.set_max_depth(32);
    T::deserialize(&mut deserializer).map_err(|error| WireError::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_keeps_no_record_alive_and_what_others_hold_is_not_copied() {
        let small = Bytes::from(vec![7; 300]);
        let within = |record: &Bytes, part: &Bytes| record.as_ptr_range().contains(&part.as_ptr());
        assert!(!within(&small, &part(&small, &small[10..20])));
        let held = small.clone();
        assert!(within(&small, &part(&small, &small[10..20])));
        drop(held);
        let large = Bytes::from(vec![7; 3000]);
        assert!(within(&large, &part(&large, &large[10..2000])));
    }
}
