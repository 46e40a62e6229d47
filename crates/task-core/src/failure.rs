use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Why a task has no result, as it is stored: what kind of end, and in which words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Failure {
    /// What kind of end it was.
    pub kind: FailureKind,
    /// The error and its sources, or the reason; at most 2 KiB.
    pub message: String,
}

/// The longest message of a [`Failure`], in bytes.
const MAX_MESSAGE: usize = 2048;

impl Failure {
    /// A failure; what is above 2 KiB of its message is cut off.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE {
            cut(&mut message, MAX_MESSAGE - '…'.len_utf8());
            message.push('…');
        }
        Self { kind, message }
    }
}

/// Cuts a text off at the last character that ends within `bytes`.
pub(crate) fn cut(text: &mut String, bytes: usize) {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
}

/// What kind of end it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The task's code returned an error.
    Error,
    /// It returned one that it called fatal.
    Fatal,
    /// It panicked.
    Panic,
    /// It took longer than its timeout.
    Timeout,
    /// Its params are not what its code expects.
    Params,
    /// Its result can't be stored: it can't be encoded, or is too large.
    Result,
    /// Its worker died under it too often.
    Crashed,
    /// No worker had code of its name.
    UnknownName,
    /// It said itself that there was nothing to do.
    Skipped,
    /// It was cancelled.
    Cancelled,
    /// Its time to start was over.
    Expired,
    /// Its queue was purged.
    Purged,
    /// A kind that a newer release has.
    #[serde(other)]
    Other,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Fatal => "fatal",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Params => "params",
            Self::Result => "result",
            Self::Crashed => "crashed",
            Self::UnknownName => "unknown_name",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Purged => "purged",
            Self::Other => "other",
        })
    }
}

/// One failed attempt, as a task's history keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptError {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// When it ended.
    pub at: Timestamp,
    /// The label of the worker that ran it.
    pub worker: Option<String>,
    /// How it ended.
    #[serde(flatten)]
    pub failure: Failure,
}

impl AttemptError {
    /// How many of a task's failed attempts its history keeps: the last ones.
    pub const KEPT: usize = 10;

    /// An entry of the history.
    pub fn new(attempt: u32, at: Timestamp, worker: Option<String>, failure: Failure) -> Self {
        Self { attempt, at, worker, failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let failure = Failure::new(FailureKind::Error, "ä".repeat(3_000));
        assert!(failure.message.len() <= MAX_MESSAGE && failure.message.ends_with("ä…"));
    }

    #[test]
    fn a_kind_is_shown_as_it_is_stored_and_an_unknown_one_is_other() {
        let stored = serde_json::to_string(&FailureKind::UnknownName).unwrap();
        assert_eq!(stored, format!("\"{}\"", FailureKind::UnknownName));
        assert_eq!(serde_json::from_str::<FailureKind>("\"eaten\"").unwrap(), FailureKind::Other);
    }
}
