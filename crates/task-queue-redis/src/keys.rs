//! The names of keys: the one place that makes them.

use base64::{
    Engine as _,
    alphabet::Alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use task_core::{Name, QueueError, TaskId};
use uuid::Uuid;

/// The prefix of all keys where the URL names none.
pub(crate) const PREFIX: &str = "tf";

/// The keys of all named queues under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys that begin with this prefix.
    pub(crate) fn new(prefix: &str) -> Result<Self, QueueError> {
        let known = |b: u8| b.is_ascii_alphanumeric() || b"_.:/-".contains(&b);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(known) {
            let wrong = format!(
                "the key prefix `{}` has other characters than A-Z a-z 0-9 _ . : / -, or is not 1 to 64 long",
                prefix.escape_debug()
            );
            return Err(QueueError::invalid(wrong));
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// The base of a named queue's keys. The name is the hash tag, so a named queue is one slot. `#` is in no name:
    /// further shards of a queue are to be `{name#1}` and so on.
    pub(crate) fn base(&self, queue: &Name) -> String {
        format!("{}:{{{queue}}}", self.prefix)
    }

    /// The version of the layout, for all queues of the prefix.
    pub(crate) fn layout(&self) -> String {
        format!("{}:layout", self.prefix)
    }

    /// The named queues that were used: for people to look at.
    pub(crate) fn queues(&self) -> String {
        format!("{}:queues", self.prefix)
    }
}

// in the order of ASCII, so that ids sort in the store as they do as numbers
const ORDERED: Alphabet =
    match Alphabet::new("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") {
        Ok(alphabet) => alphabet,
        Err(_) => panic!("64 different characters"),
    };
const SHORT: GeneralPurpose = GeneralPurpose::new(
    &ORDERED,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// An id as it is stored: a UUID as 22 characters, which saves 14 in each structure, any other text behind a colon.
pub(crate) fn stored_id(id: &TaskId) -> String {
    match id.as_uuid() {
        Some(uuid) => SHORT.encode(uuid.as_bytes()),
        None => format!(":{id}"),
    }
}

/// The id that is stored so.
pub(crate) fn read_id(stored: &str) -> Option<TaskId> {
    match stored.strip_prefix(':') {
        Some(text) => text.parse().ok(),
        None => Some(TaskId::from(Uuid::from_slice(&SHORT.decode(stored).ok()?).ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_uuids_sort_as_they_do_as_numbers() {
        let ids =
            ["0190163d-8694-739b-aea5-966c26f8ad91", "f190163d-8694-739b-aea5-966c26f8ad91", "order-7", ":"];
        for text in ids {
            let id: TaskId = text.parse().unwrap();
            assert_eq!(read_id(&stored_id(&id)).unwrap(), id);
        }
        let stored: Vec<String> = ids[..2].iter().map(|text| stored_id(&text.parse().unwrap())).collect();
        assert!(stored.is_sorted() && stored[0].len() == 22, "{stored:?}");
        assert!(read_id("short").is_none());
    }

    #[test]
    fn a_named_queue_is_one_slot_and_a_prefix_has_no_pattern_in_it() {
        assert_eq!(Keys::new("tf").unwrap().base(&Name::DEFAULT_QUEUE), "tf:{tasks}");
        for bad in ["", "a*", "a{b}", "a b", &"x".repeat(65)] {
            assert!(Keys::new(bad).is_err(), "{bad}");
        }
    }
}
