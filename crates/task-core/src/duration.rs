use std::time::Duration;

/// What is longer counts as this: a hundred years. No sum of it and a moment is more than a backend's clock counts to.
pub(crate) const LONGEST: Duration = Duration::from_secs(36_525 * 24 * 3600);

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a duration; write \"30s\", \"500ms\", \"5m\", \"2h\" or \"1d\" (a bare number is seconds)", .0.escape_debug())]
pub struct InvalidDuration(String);

/// Reads a duration as people write it on command lines and in files: `30s`, `1h 30m`, `500ms`; a bare number, also
/// with a fraction, is seconds. What is longer than a hundred years counts as these.
///
/// # Errors
/// If the text is none of these; the error says what to write.
///
/// ```
/// # use std::time::Duration;
/// assert_eq!(task_core::parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
/// assert_eq!(task_core::parse_duration("0.5"), Ok(Duration::from_millis(500)));
/// assert!(task_core::parse_duration("soon").is_err());
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let text = text.trim();
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let parsed = seconds.or_else(|| humantime::parse_duration(text).ok());
    parsed.map(|parsed| parsed.min(LONGEST)).ok_or_else(|| InvalidDuration(text.chars().take(64).collect()))
}

/// Writes a duration as [`parse_duration`] reads it, to the millisecond: `1h 30m`, `250ms`, `0s`.
pub fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(millis)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_duration_is_refused() {
        for bad in ["", "-1", "s", "1 fortnight", "nan", "inf", "1e400"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_longer_than_a_century_is_cut_so_that_no_clock_overflows() {
        // `--grace 1e18` ended the process at its first signal
        for long in ["1e18", "999999999d", "36525d"] {
            assert_eq!(parse_duration(long), Ok(LONGEST), "{long}");
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        for millis in [0, 1, 250, 1_000, 5_400_000, 86_400_000 * 40] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
