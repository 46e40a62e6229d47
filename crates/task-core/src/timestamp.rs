use std::{
    fmt,
    num::NonZeroU64,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A moment, in whole milliseconds since 1970 (UTC): what is stored and sent.
///
/// In the queue's records it is a number, in JSON and as text RFC 3339 with milliseconds. Moments before 1970 are
/// 1970. Made from, and turned into, [`time::OffsetDateTime`] and [`SystemTime`].
///
/// ```
/// # use task_core::Timestamp;
/// assert_eq!(Timestamp::from_millis(1_500).to_string(), "1970-01-01T00:00:01.500Z");
/// assert_eq!("1970-01-01T01:00:01.5+01:00".parse(), Ok(Timestamp::from_millis(1_500)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(NonZeroU64); // one more, so that an Option of it takes no more room

/// The last millisecond of the year 9999, behind which RFC 3339 has no text.
const MAX: u64 = 253_402_300_799_999;

/// A text that is no [`Timestamp`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a time; write it as in RFC 3339, with its zone: 2026-01-31T18:00:00Z", .0.escape_debug())]
pub struct InvalidTimestamp(String);

impl Default for Timestamp {
    /// 1970.
    fn default() -> Self {
        Self::from_millis(0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.as_millis()).finish()
    }
}

impl Timestamp {
    /// That many milliseconds after 1970 began.
    pub const fn from_millis(millis: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(if millis < MAX { millis } else { MAX }))
    }

    /// Milliseconds since 1970 began.
    pub const fn as_millis(self) -> u64 {
        self.0.get() - 1
    }

    /// The clock of this machine. What a queue stores goes by the backend's clock instead.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The time from an earlier moment to this one; zero if it isn't earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }
}

/// A duration in whole milliseconds, rounded up, so that nothing happens early.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_add(millis(duration)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(millis(duration)))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(u64::try_from(since.as_millis()).unwrap_or(MAX))
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(time: OffsetDateTime) -> Self {
        let millis = time.unix_timestamp_nanos() / 1_000_000;
        Self::from_millis(u64::try_from(millis.max(0)).unwrap_or(MAX))
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(time: Timestamp) -> Self {
        let nanos = i128::from(time.as_millis()) * 1_000_000;
        Self::from_unix_timestamp_nanos(nanos).unwrap_or(Self::UNIX_EPOCH).to_offset(UtcOffset::UTC)
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(time.as_millis())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = OffsetDateTime::from(*self);
        let (date, time) = (t.date(), t.time());
        write!(f, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())?;
        write!(f, "T{:02}:{:02}:{:02}.{:03}Z", time.hour(), time.minute(), time.second(), time.millisecond())
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339);
        parsed.map(Self::from).map_err(|_| InvalidTimestamp(text.chars().take(64).collect()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::from_text::from_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_back_from_its_text_to_the_millisecond() {
        for millis in [0, 1, 999, 1_764_000_000_123, MAX] {
            let moment = Timestamp::from_millis(millis);
            assert_eq!(moment.to_string().parse(), Ok(moment));
            assert_eq!(Timestamp::from(OffsetDateTime::from(moment)), moment);
            assert_eq!(Timestamp::from(SystemTime::from(moment)), moment);
        }
        assert!("2026-01-31 18:00".parse::<Timestamp>().is_err());
    }

    #[test]
    fn no_sum_overflows_and_parts_of_a_millisecond_round_up() {
        assert_eq!(Timestamp::now() + Duration::MAX, Timestamp::from_millis(MAX));
        assert_eq!(Timestamp::from_millis(5) - Duration::MAX, Timestamp::default());
        assert_eq!(Timestamp::from_millis(5) + Duration::from_micros(1), Timestamp::from_millis(6));
    }
}
