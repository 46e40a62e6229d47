use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use crate::{RetryPolicy, Timestamp, duration::LONGEST};

/// What is said of a task beside its params: where, when and how it runs. What is left out has a default.
///
/// A kind of task has options of its own ([`TaskParams::options`](crate::TaskParams::options)); what is said at one
/// enqueue goes over them; for retries, backoff and timeout, what the worker says comes behind both. A duration of more
/// than a hundred years is a hundred years.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TaskOptions {
    /// The named queue; default `tasks`.
    pub queue: Option<Cow<'static, str>>,
    /// 0 to 100, the highest first; default 50.
    pub priority: Option<u8>,
    /// When it may start; default: at once.
    pub start: Option<Moment>,
    /// Not first started after it; default: never expires.
    pub expires: Option<Moment>,
    /// At most one live task has this key; default: no key.
    pub unique: Option<UniqueKey>,
    /// How often a failed attempt is tried again; default 3.
    pub max_retries: Option<u32>,
    /// How many times its worker may die under it before it fails; default 3; 0 means at most once.
    pub max_crashes: Option<u8>,
    /// The wait before each retry; default [`RetryPolicy::default`].
    pub backoff: Option<RetryPolicy>,
    /// The longest an attempt may take, more than zero; default: no limit.
    pub timeout: Option<Duration>,
    /// How long its result is kept from its end; default 24 h, and 7 days if it FAILED.
    pub retention: Option<Duration>,
    /// Free to use: trace ids, the user who asked, … Names and values have at most 16 KiB in all.
    pub headers: BTreeMap<String, String>,
}

/// A moment given as such, or as a time from now, which is then counted by the backend's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long after the backend takes it in.
    In(Duration),
    /// At that time of the backend's clock.
    At(Timestamp),
}

impl Moment {
    /// The moment itself, if `now` is when it was said.
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(duration) => now + duration,
            Self::At(time) => time,
        }
    }

    pub(crate) fn capped(self) -> Self {
        match self {
            Self::In(duration) => Self::In(duration.min(LONGEST)),
            Self::At(_) => self,
        }
    }
}

/// A key that at most one live task holds: from enqueue until that task is final in any way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UniqueKey {
    /// 1 to 256 bytes.
    pub key: String,
    /// Among which tasks it is unique.
    pub scope: UniqueScope,
}

/// Among which tasks a key is unique.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UniqueScope {
    /// Those of one name in one named queue.
    #[default]
    Task,
    /// All of one named queue.
    Queue,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),*) => $field:ident = $value:expr;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, $($arg: $ty),*) -> Self {
            self.$field = $value;
            self
        }
    )*};
}

impl TaskOptions {
    setters! {
        /// Into this named queue.
        queue(name: impl Into<Cow<'static, str>>) => queue = Some(name.into());
        /// 0 to 100, the highest first.
        priority(priority: u8) => priority = Some(priority);
        /// Starts so long after it was enqueued.
        delay(delay: Duration) => start = Some(Moment::In(delay));
        /// Starts at that time.
        at(time: impl Into<Timestamp>) => start = Some(Moment::At(time.into()));
        /// Is cancelled unless it has started so long after it was enqueued.
        expires(after: Duration) => expires = Some(Moment::In(after));
        /// Is cancelled unless it has started by that time.
        expires_at(time: impl Into<Timestamp>) => expires = Some(Moment::At(time.into()));
        /// Holds this key, unique among the tasks of its name in its queue, until it is final.
        unique(key: impl Into<String>) => unique = Some(UniqueKey { key: key.into(), scope: UniqueScope::Task });
        /// Holds this key, unique in its whole queue, until it is final.
        unique_in_queue(key: impl Into<String>) => unique = Some(UniqueKey { key: key.into(), scope: UniqueScope::Queue });
        /// How often a failed attempt is tried again.
        max_retries(retries: u32) => max_retries = Some(retries);
        /// How many times its worker may die under it before it fails.
        max_crashes(crashes: u8) => max_crashes = Some(crashes);
        /// The wait before each retry.
        backoff(policy: RetryPolicy) => backoff = Some(policy);
        /// The longest an attempt may take.
        timeout(timeout: Duration) => timeout = Some(timeout);
        /// How long its result is kept from its end.
        retention(retention: Duration) => retention = Some(retention);
    }

    /// One more header; a second value for a name replaces the first.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }
}
