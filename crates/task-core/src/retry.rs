use std::{str::FromStr, time::Duration};

use crate::{InvalidDuration, duration::LONGEST, parse_duration, timestamp::millis};

/// How long a failed task waits before its next attempt: exponential backoff with full jitter.
///
/// Before retry *n* (from 1) it waits a random time between zero and `min(max, initial × 2^(n−1))`. That is "full
/// jitter" of Marc Brooker, *Exponential Backoff And Jitter* (AWS Architecture Blog, 2015), which spreads tasks that
/// failed together best. Default: 1 s, doubling to 10 min.
///
/// ```
/// # use std::time::Duration;
/// # use task_core::RetryPolicy;
/// let policy = RetryPolicy::exponential(Duration::from_secs(1), Duration::from_secs(600));
/// assert_eq!(policy.longest(3), Duration::from_secs(4));
/// assert!(policy.delay(3) <= Duration::from_secs(4));
/// assert_eq!(RetryPolicy::fixed(Duration::from_secs(5)).delay(9), Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    initial: u64,
    max: u64,
    jitter: bool,
}

impl RetryPolicy {
    /// From `initial`, doubling with each failure to `max`, with full jitter.
    pub fn exponential(initial: Duration, max: Duration) -> Self {
        let (initial, max) = (millis(initial), millis(max.min(LONGEST)));
        Self { initial: initial.min(max), max, jitter: true }
    }

    /// The same time before each retry.
    pub fn fixed(delay: Duration) -> Self {
        let delay = millis(delay.min(LONGEST));
        Self { initial: delay, max: delay, jitter: false }
    }

    /// Waits the [`longest`](Self::longest) time, not a random part of it.
    #[must_use]
    pub fn without_jitter(self) -> Self {
        Self { jitter: false, ..self }
    }

    /// The most that the wait before retry `n` (from 1) can be.
    pub fn longest(self, n: u32) -> Duration {
        let factor = 1_u64.checked_shl(n.saturating_sub(1)).unwrap_or(u64::MAX);
        Duration::from_millis(self.initial.saturating_mul(factor).min(self.max))
    }

    /// The wait before retry `n` (from 1), to the millisecond.
    pub fn delay(self, n: u32) -> Duration {
        let longest = self.longest(n);
        if self.jitter { Duration::from_millis(fastrand::u64(0..=millis(longest))) } else { longest }
    }

    /// As it travels: initial and longest wait in milliseconds, and whether there is jitter.
    pub(crate) fn to_wire(self) -> (u64, u64, bool) {
        (self.initial, self.max, self.jitter)
    }

    pub(crate) fn from_wire((initial, max, jitter): (u64, u64, bool)) -> Self {
        let max = max.min(millis(LONGEST));
        Self { initial: initial.min(max), max, jitter }
    }
}

/// As people write it: `5s` is [`fixed`](Self::fixed), `1s..10m` is [`exponential`](Self::exponential).
///
/// ```
/// # use std::time::Duration;
/// # use task_core::RetryPolicy;
/// assert_eq!("1s..10m".parse(), Ok(RetryPolicy::default()));
/// assert_eq!("5s".parse(), Ok(RetryPolicy::fixed(Duration::from_secs(5))));
/// assert!("1s..soon".parse::<RetryPolicy>().is_err());
/// ```
impl FromStr for RetryPolicy {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        match text.split_once("..") {
            Some((initial, max)) => Ok(Self::exponential(parse_duration(initial)?, parse_duration(max)?)),
            None => Ok(Self::fixed(parse_duration(text)?)),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::exponential(Duration::from_secs(1), Duration::from_secs(600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_doubles_until_it_reaches_its_limit() {
        let seconds: Vec<u64> = (1..=12).map(|n| RetryPolicy::default().longest(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert_eq!(RetryPolicy::default().longest(u32::MAX).as_secs(), 600);
    }

    #[test]
    fn full_jitter_spreads_evenly_from_zero_to_the_longest_wait() {
        let policy = RetryPolicy::default();
        let mut quarters = [0_u32; 4];
        for _ in 0..4_000 {
            let part = policy.delay(7).as_millis() * 4 / 64_001;
            quarters[usize::try_from(part).unwrap()] += 1;
        }
        // 1,000 expected in each; six standard deviations (27.4 each) are a chance of one in a billion
        assert!(quarters.iter().all(|n| (835..=1165).contains(n)), "{quarters:?}");
    }

    #[test]
    fn a_limit_below_the_first_wait_holds_from_the_first_retry_on() {
        let policy =
            RetryPolicy::exponential(Duration::from_secs(9), Duration::from_secs(2)).without_jitter();
        assert_eq!((policy.delay(1).as_secs(), policy.delay(5).as_secs()), (2, 2));
    }
}
