use serde::{Deserialize, Serialize};
use task_core::Timestamp;

const SLOTS: usize = 13;
const SLOT_MILLIS: u64 = 5_000;

/// How often something happened in the last minute: twelve whole slots of five seconds, and the one that runs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Rate {
    slots: [u32; SLOTS],
    /// The number of the slot that was counted in last.
    last: u64,
}

impl Rate {
    pub(super) fn count(&mut self, now: Timestamp) {
        self.turn(now);
        let slot = &mut self.slots[(self.last % SLOTS as u64) as usize];
        *slot = slot.saturating_add(1);
    }

    pub(super) fn per_minute(mut self, now: Timestamp) -> f64 {
        self.turn(now);
        let sum: f64 = self.slots.iter().map(|count| f64::from(*count)).sum();
        let millis = (SLOTS as u64 - 1) * SLOT_MILLIS + now.as_millis() % SLOT_MILLIS;
        sum * 60_000.0 / millis as f64
    }

    fn turn(&mut self, now: Timestamp) {
        let slot = now.as_millis() / SLOT_MILLIS;
        let passed = slot.saturating_sub(self.last).min(SLOTS as u64);
        for n in 1..=passed {
            self.slots[((slot - passed + n) % SLOTS as u64) as usize] = 0;
        }
        self.last = self.last.max(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_later_nothing_of_it_counts_any_more() {
        let mut rate = Rate::default();
        let start = 1_764_000_000_000;
        for n in 0..600 {
            rate.count(Timestamp::from_millis(start + n * 100));
        }
        let now = rate.per_minute(Timestamp::from_millis(start + 60_000));
        assert!((550.0..=600.5).contains(&now), "{now}");
        assert!(rate.per_minute(Timestamp::from_millis(start + 126_000)) < 0.1);
    }
}
