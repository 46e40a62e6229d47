use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// One start of a worker: 128 random bits made by whoever starts it, and a generation.
///
/// Leases, fencing and release go by it, never by a worker's label, which may repeat. A worker that is told that it
/// is closed goes on under the [`next`](Self::next) generation. Its text is 32 hexadecimal digits, a dot and the
/// generation: `5f0c…9a.0`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation {
    id: Uuid,
    generation: u32,
}

/// A text that is no [`Incarnation`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an incarnation: it is 32 hexadecimal digits, and may end in a dot and a generation", .0.escape_debug())]
pub struct InvalidIncarnation(String);

impl Incarnation {
    /// A new start, generation 0.
    #[expect(
        clippy::new_without_default,
        reason = "each call gives another one; a default that differs surprises"
    )]
    pub fn new() -> Self {
        Self { id: Uuid::new_v4(), generation: 0 }
    }

    /// The 128 bits that all generations of this start share.
    pub fn id(self) -> u128 {
        self.id.as_u128()
    }

    /// How often this start was closed before.
    pub fn generation(self) -> u32 {
        self.generation
    }

    /// Under which the worker goes on after this one was closed.
    #[must_use]
    pub fn next(self) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id.as_simple(), self.generation)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Incarnation {
    type Err = InvalidIncarnation;
    fn from_str(text: &str) -> Result<Self, InvalidIncarnation> {
        let (id, generation) = text.split_once('.').unwrap_or((text, "0"));
        let id = if id.len() == 32 { Uuid::try_parse(id).ok() } else { None };
        match (id, generation.parse()) {
            (Some(id), Ok(generation)) => Ok(Self { id, generation }),
            _ => Err(InvalidIncarnation(text.chars().take(64).collect())),
        }
    }
}

impl Serialize for Incarnation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Incarnation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::from_text::from_text(deserializer)
    }
}

/// The right to settle one attempt: the claim that gave the task out.
///
/// Unique by construction, since an incarnation numbers its claims and no two share one, so no counter of the
/// backend has to survive a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Token {
    /// Who claimed.
    pub worker: Incarnation,
    /// The number of that claim, as the worker counts them within the named queue.
    pub claim: u64,
}

impl Token {
    /// The token of a worker's claim.
    pub fn new(worker: Incarnation, claim: u64) -> Self {
        Self { worker, claim }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_is_read_back_from_its_text() {
        let first = Incarnation::new();
        let second = first.next();
        assert_eq!(first.to_string().parse::<Incarnation>().unwrap(), first);
        assert_eq!(second.to_string().parse::<Incarnation>().unwrap(), second);
        assert_eq!((first.id(), second.generation()), (second.id(), 1));
        assert_eq!(first.to_string().trim_end_matches(".0").parse::<Incarnation>().unwrap(), first);
        for bad in ["", "worker_1", "5f0c.0", &format!("{first}.1"), &first.to_string().replace(".0", ".x")] {
            assert!(bad.parse::<Incarnation>().is_err(), "{bad:?}");
        }
    }
}
