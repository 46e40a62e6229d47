//! How quickly the attempts of a kind of task run: whether the next one may follow the last on the same thread at once,
//! or has to leave the others a chance first.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// So many quick ones in a row make a kind quick.
const TRUST: u32 = 16;

/// Whether a kind of task is quick. One that takes long is to be made up for by as many quick ones as would have run
/// in its time: so of a kind of which some block the thread that they run on, all together block for a small part of
/// the time those that come after them.
#[derive(Debug)]
pub(crate) struct Pace {
    /// So many quick ones are missing.
    missing: AtomicU32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { missing: AtomicU32::new(TRUST) }
    }
}

impl Pace {
    /// Attempts that end within this, without a wait, are quick: a few times what it costs to start a task of the runtime
    /// for one.
    pub(crate) const QUICK: Duration = Duration::from_micros(10);

    /// Whether the next attempt is likely to end at once.
    pub(crate) fn is_quick(&self) -> bool {
        self.missing.load(Ordering::Relaxed) == 0
    }

    /// An attempt ended at its first poll, which kept its thread busy for so long.
    pub(crate) fn ended_at_once(&self, busy: Duration) {
        let missing = self.missing.load(Ordering::Relaxed);
        if busy > Self::QUICK {
            let others = u32::try_from(busy.as_nanos() / Self::QUICK.as_nanos()).unwrap_or(u32::MAX);
            self.missing.store(missing.max(others).max(TRUST), Ordering::Relaxed);
        } else if missing > 0 {
            // several threads may count at once: that some of it is lost does no harm
            self.missing.store(missing - 1, Ordering::Relaxed);
        }
    }

    /// An attempt had to wait for something.
    pub(crate) fn waited(&self) {
        self.missing.fetch_max(TRUST, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_until_quick(pace: &Pace) -> u32 {
        let mut ends = 0;
        while !pace.is_quick() {
            pace.ended_at_once(Pace::QUICK);
            ends += 1;
        }
        ends
    }

    #[test]
    fn a_kind_is_quick_after_some_quick_attempts_in_a_row() {
        let pace = Pace::default();
        assert_eq!(ends_until_quick(&pace), TRUST);
        pace.waited();
        assert_eq!(ends_until_quick(&pace), TRUST);
    }

    #[test]
    fn an_attempt_that_blocks_its_thread_is_made_up_for_by_quick_ones_of_the_same_time() {
        // one task in a hundred took a second, and each time everything else of the worker waited behind it
        let pace = Pace::default();
        ends_until_quick(&pace);
        pace.ended_at_once(Duration::from_secs(1));
        assert_eq!(ends_until_quick(&pace), 100_000);
        pace.ended_at_once(Pace::QUICK + Duration::from_nanos(1));
        assert_eq!(ends_until_quick(&pace), TRUST);
    }
}
