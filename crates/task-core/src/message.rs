use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use bytes::Bytes;

use crate::{
    Moment, Name, QueueError, RetryPolicy, TaskId, TaskOptions, Timestamp, UniqueKey, duration::LONGEST,
};

/// What travels in the queue: a task as it was enqueued.
///
/// Backends store its [`record`](Self::to_record) under (named queue, id) and look into it nowhere else.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TaskMessage {
    /// Its id in its named queue.
    pub id: TaskId,
    /// The named queue it goes into.
    pub queue: Name,
    /// What kind of task it is: the worker finds its code by this name.
    pub name: Name,
    /// Its input, as MessagePack.
    pub params: Bytes,
    /// 0 to 100, the highest first.
    pub priority: u8,
    /// How many times its worker may die under it before it fails.
    pub max_crashes: u8,
    /// When it may start, if not at once.
    pub start: Option<Moment>,
    /// When it is cancelled unless it has started.
    pub expires: Option<Moment>,
    /// The key that it holds while it is live.
    pub unique: Option<UniqueKey>,
    /// How often a failed attempt is tried again, if the enqueuer said it.
    pub max_retries: Option<u32>,
    /// The wait before each retry, if the enqueuer said it.
    pub backoff: Option<RetryPolicy>,
    /// The longest an attempt may take, if the enqueuer said it.
    pub timeout: Option<Duration>,
    /// How long its result is kept, if the enqueuer said it.
    pub retention: Option<Duration>,
    /// What the enqueuer sent along.
    pub headers: BTreeMap<String, String>,
    /// When it was enqueued, by the backend's clock; the backend sets it.
    pub enqueued_at: Option<Timestamp>,
    /// The task that enqueued this one, if one did.
    pub parent: Option<TaskId>,
    /// The task at the root of that chain.
    pub root: Option<TaskId>,
    /// The trace that it belongs to: a `traceparent` of W3C Trace Context.
    pub trace: Option<String>,
    /// Carried from version 1 on, acted on by later ones; few messages have any. One without any is read back as none.
    pub reserved: Option<Box<Reserved>>,
}

/// Fields that travel and that no release acts on yet, so that later features need no new record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reserved {
    /// Tasks of one key run one after the other.
    pub ordering_key: Option<String>,
    /// Tasks of one key share a limit.
    pub limit_key: Option<String>,
    /// How many of the worker's units it takes.
    pub cost: Option<u32>,
    /// When the whole task must be over.
    pub deadline: Option<Timestamp>,
    /// Where params lie that are kept outside the queue.
    pub payload_ref: Option<String>,
    /// On whose account it runs.
    pub tenant: Option<String>,
    /// A hash of the shape of the params.
    pub schema_hash: Option<u64>,
}

impl TaskMessage {
    /// The priority where nothing else is said.
    pub const DEFAULT_PRIORITY: u8 = 50;
    /// The highest priority.
    pub const MAX_PRIORITY: u8 = 100;
    /// How many times a task's worker may die under it, where nothing else is said.
    pub const DEFAULT_MAX_CRASHES: u8 = 3;

    /// The most bytes that the names and values of a task's headers may have in all: 16 KiB.
    pub const MAX_HEADERS: usize = 16 << 10;

    /// A message out of its parts; `params` is MessagePack.
    ///
    /// # Errors
    /// [`QueueError::Invalid`] if a name, the priority, the unique key or the timeout is not allowed, or the headers have
    /// more than [`MAX_HEADERS`](Self::MAX_HEADERS) bytes.
    pub fn new(
        id: TaskId,
        name: impl Into<Cow<'static, str>>,
        params: impl Into<Bytes>,
        options: TaskOptions,
    ) -> Result<Self, QueueError> {
        let name = to_name(name.into()).map_err(|e| QueueError::invalid(format!("task name {e}")))?;
        let queue = options.queue.map_or(Ok(Name::DEFAULT_QUEUE), to_name);
        let queue = queue.map_err(|e| QueueError::invalid(format!("queue name {e}")))?;
        let priority = options.priority.unwrap_or(Self::DEFAULT_PRIORITY);
        if priority > Self::MAX_PRIORITY {
            let wrong =
                format!("priority {priority} of task `{name}` is not between 0 and {}", Self::MAX_PRIORITY);
            return Err(QueueError::invalid(wrong));
        }
        if let Some(UniqueKey { key, .. }) = &options.unique
            && !(1..=256).contains(&key.len())
        {
            let wrong =
                format!("the unique key of task `{name}` has {} bytes; it may have 1 to 256", key.len());
            return Err(QueueError::invalid(wrong));
        }
        if options.timeout.is_some_and(|timeout| timeout.is_zero()) {
            let wrong = format!(
                "the timeout of task `{name}` is zero, so that no attempt could succeed; leave it out for no limit"
            );
            return Err(QueueError::invalid(wrong));
        }
        let headers: usize = options.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        if headers > Self::MAX_HEADERS {
            let wrong = format!(
                "the headers of task `{name}` have {headers} bytes, and {} are allowed; what is large goes into the params",
                Self::MAX_HEADERS
            );
            return Err(QueueError::invalid(wrong));
        }
        let capped = |duration: Duration| duration.min(LONGEST);
        Ok(Self {
            id,
            queue,
            name,
            params: params.into(),
            priority,
            max_crashes: options.max_crashes.unwrap_or(Self::DEFAULT_MAX_CRASHES),
            start: options.start.map(Moment::capped),
            expires: options.expires.map(Moment::capped),
            unique: options.unique,
            max_retries: options.max_retries,
            backoff: options.backoff,
            timeout: options.timeout.map(capped),
            retention: options.retention.map(capped),
            headers: options.headers,
            enqueued_at: None,
            parent: None,
            root: None,
            trace: None,
            reserved: None,
        })
    }

    /// A hash of name and params, kept with the result, by which a task enqueued again under its id is told from
    /// another one: FNV-1a, 64 bits (Fowler, Noll, Vo; <http://www.isthe.com/chongo/tech/comp/fnv/>).
    pub fn fingerprint(&self) -> u64 {
        let bytes = self.name.as_str().bytes().chain([0]).chain(self.params.iter().copied());
        bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// The unique key as a backend stores it: one text for the scope and the key.
    pub fn lock(&self) -> Option<String> {
        let UniqueKey { key, scope } = self.unique.as_ref()?;
        Some(match scope {
            crate::UniqueScope::Task => format!("{}\n{key}", self.name), // no name has a line end in it
            crate::UniqueScope::Queue => format!("\n{key}"),
        })
    }
}

fn to_name(name: Cow<'static, str>) -> Result<Name, crate::InvalidName> {
    match name {
        Cow::Borrowed(name) => Name::from_static(name),
        Cow::Owned(name) => name.parse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(options: TaskOptions) -> Result<TaskMessage, QueueError> {
        TaskMessage::new(TaskId::new(), "extract", vec![0xc0], options)
    }

    #[test]
    fn what_can_t_be_is_refused_with_its_value_and_the_remedy() {
        let options = TaskOptions::default;
        for (options, part) in [
            (options().queue("two words"), "queue name `two words` is not a name"),
            (options().priority(101), "priority 101 of task `extract` is not between 0 and 100"),
            (options().unique("k".repeat(257)), "has 257 bytes; it may have 1 to 256"),
            // headers were taken at any size, beside a limit on params
            (
                options().header("a", "x".repeat(20_000)),
                "have 20001 bytes, and 16384 are allowed; what is large",
            ),
            (options().timeout(Duration::ZERO), "is zero, so that no attempt could succeed; leave it out"),
        ] {
            let error = message(options).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    /// "For ever" was written with more digits than a backend has room for, and the result could not be read.
    #[test]
    fn more_than_a_hundred_years_are_a_hundred_years() {
        let longest = Duration::MAX;
        let options =
            TaskOptions::default().delay(longest).expires(longest).timeout(longest).retention(longest);
        let made = message(options.backoff(RetryPolicy::fixed(longest))).unwrap();
        let (start, century) = (made.start, Some(LONGEST));
        assert_eq!((start, made.expires), (Some(Moment::In(LONGEST)), start));
        assert_eq!((made.timeout, made.retention), (century, century));
        assert_eq!(made.backoff.map(|policy| policy.delay(1)), century);
        let retry = crate::TaskError::retry_after(longest, "no").kind();
        assert_eq!(retry, crate::ErrorKind::Retry { after: century });
        // another language may have written more
        let written = TaskMessage { retention: Some(longest), ..made }.to_record().into();
        let read = TaskMessage::from_record(Name::DEFAULT_QUEUE, TaskId::new(), &written).unwrap();
        assert_eq!(read.retention, century);
    }
}
