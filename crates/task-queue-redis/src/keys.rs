//! The names of keys: the one place that makes them.

use task_core::{Name, QueueError, TaskMessage};

/// The prefix of all keys where the URL names none.
pub(crate) const PREFIX: &str = "tf";

/// The suffixes of a named queue's keys that have fixed names, and what each holds; docs/redis-layout.md says what for.
pub(crate) const KINDS: [(&str, &str); 30] = [
    ("meta", "hash"),
    ("tasks", "hash"),
    ("state", "hash"),
    ("run", "hash"),
    ("delayed", "zset"),
    ("retry", "zset"),
    ("expiry", "zset"),
    ("gone", "zset"),
    ("levels", "zset"),
    ("suspects", "zset"),
    ("unknown", "zset"),
    ("replayable", "zset"),
    ("void", "hash"),
    ("uniq", "hash"),
    ("waiting", "set"),
    ("progress", "hash"),
    ("leases", "zset"),
    ("closed", "zset"),
    ("dying", "zset"),
    ("gens", "hash"),
    ("reg", "hash"),
    ("knows", "hash"),
    ("label", "hash"),
    ("seen", "hash"),
    ("alone", "hash"),
    ("wake", "list"),
    ("results", "zset"),
    ("unlisted", "hash"),
    ("end:F", "zset"),
    ("end:X", "zset"),
];

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

    /// The keys of a named queue that have fixed names, and its ready lists, with the kind of each.
    pub(crate) fn kinds(&self, queue: &Name) -> Vec<(String, &'static str)> {
        let base = self.base(queue);
        let fixed = KINDS.iter().map(|(suffix, kind)| (format!("{base}:{suffix}"), *kind));
        let ready =
            (0..=TaskMessage::MAX_PRIORITY).map(|priority| (format!("{base}:ready:{priority}"), "list"));
        fixed.chain(ready).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_of_keys_are_those_that_are_documented() {
        // read when it runs: the package of the crate has no docs
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/redis-layout.md");
        let docs = std::fs::read_to_string(page).unwrap();
        for (suffix, kind) in KINDS {
            assert!(docs.contains(&format!("\n| `{suffix}` | {kind} | ")), "{suffix}");
        }
    }

    #[test]
    fn a_named_queue_is_one_slot_and_a_prefix_has_no_pattern_in_it() {
        assert_eq!(Keys::new("tf").unwrap().base(&Name::DEFAULT_QUEUE), "tf:{tasks}");
        for bad in ["", "a*", "a{b}", "a b", &"x".repeat(65)] {
            assert!(Keys::new(bad).is_err(), "{bad}");
        }
    }
}
