use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The id of a task within its named queue: 1–128 printable ASCII characters, a UUIDv7 unless the user gives one.
///
/// Nothing reads a time out of it. Enqueueing twice with one id is enqueueing once, so an id derived from the
/// user's own data makes an enqueue idempotent.
///
/// ```
/// # use task_core::TaskId;
/// let id: TaskId = "order-7".parse()?;
/// assert_eq!(id.to_string(), "order-7");
/// assert_ne!(TaskId::new(), TaskId::new());
/// # Ok::<(), task_core::InvalidTaskId>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TaskId(Repr);

/// A canonical UUID always has the first form, so that equal texts are equal values.
#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Uuid(Uuid),
    Text(Arc<str>),
}

/// The longest id, in characters.
const MAX_LEN: usize = 128;

/// A text that is no [`TaskId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a task id: an id has 1 to {MAX_LEN} printable ASCII characters without spaces", .0.escape_debug())]
pub struct InvalidTaskId(String);

impl TaskId {
    /// A new id that nobody else has: a UUIDv7, so that ids made one after the other sort that way.
    #[expect(
        clippy::new_without_default,
        reason = "each call gives another id; a default that differs surprises"
    )]
    pub fn new() -> Self {
        Self(Repr::Uuid(Uuid::now_v7()))
    }

    /// The id as a UUID, if its text is one in the canonical form (lower case, with hyphens). Backends may use it
    /// to store the id in less room.
    pub fn as_uuid(&self) -> Option<Uuid> {
        match self.0 {
            Repr::Uuid(uuid) => Some(uuid),
            Repr::Text(_) => None,
        }
    }
}

/// In one step where it is a UUID, as most are: each table of tasks does this for each of its tasks several times.
impl Hash for TaskId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Repr::Uuid(uuid) => state.write_u128(uuid.as_u128()),
            Repr::Text(text) => text.hash(state),
        }
    }
}

impl From<Uuid> for TaskId {
    fn from(uuid: Uuid) -> Self {
        Self(Repr::Uuid(uuid))
    }
}

impl FromStr for TaskId {
    type Err = InvalidTaskId;
    fn from_str(text: &str) -> Result<Self, InvalidTaskId> {
        if let Some(uuid) = canonical(text) {
            return Ok(Self(Repr::Uuid(uuid)));
        }
        if (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(Repr::Text(text.into())))
        } else {
            Err(InvalidTaskId(text.chars().take(MAX_LEN + 1).collect()))
        }
    }
}

/// The UUID whose canonical text this is, to the letter.
fn canonical(text: &str) -> Option<Uuid> {
    let is_canonical = text.len() == 36 && !text.bytes().any(|b| b.is_ascii_uppercase());
    if is_canonical { Uuid::try_parse(text).ok() } else { None }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Uuid(uuid) => f.pad(uuid.as_hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            Repr::Text(text) => f.pad(text),
        }
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

impl PartialOrd for TaskId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TaskId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (&self.0, &other.0) {
            (Repr::Uuid(a), Repr::Uuid(b)) => a.cmp(b), // the order of bytes is that of the hexadecimal text
            (Repr::Text(a), Repr::Text(b)) => a.cmp(b),
            _ => self.to_string().cmp(&other.to_string()),
        }
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::from_text::from_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_128_printable_ascii_characters() {
        for good in ["a", "order-7", "!\"#$%", &"x".repeat(128), "0190163d-8694-739b-aea5-966c26f8ad91"] {
            assert_eq!(good.parse::<TaskId>().unwrap().to_string(), good);
        }
        for bad in ["", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert!(bad.parse::<TaskId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn texts_that_differ_are_ids_that_differ_also_when_both_name_one_uuid() {
        let lower: TaskId = "0190163d-8694-739b-aea5-966c26f8ad91".parse().unwrap();
        let upper: TaskId = "0190163D-8694-739B-AEA5-966C26F8AD91".parse().unwrap();
        assert_ne!(lower, upper);
        assert!(lower.as_uuid().is_some() && upper.as_uuid().is_none());
        assert_eq!(upper.to_string(), "0190163D-8694-739B-AEA5-966C26F8AD91");
    }

    #[test]
    fn ids_sort_as_their_texts_do() {
        let mut ids: Vec<TaskId> =
            ["z", "0190163d-8694-739b-aea5-966c26f8ad91", "00", "0290163d-8694-739b-aea5-966c26f8ad91"]
                .iter()
                .map(|id| id.parse().unwrap())
                .collect();
        ids.sort();
        let texts: Vec<String> = ids.iter().map(TaskId::to_string).collect();
        assert!(texts.is_sorted(), "{texts:?}");
    }
}
