use std::time::Duration;

use task_core::{format_duration, parse_duration};

use super::Mistake;

pub(super) fn any(flag: &str, text: &str) -> Result<Duration, Mistake> {
    parse_duration(text).map_err(|error| Mistake(format!("{flag}: {error}")))
}

/// What would end before it began is a slip.
pub(super) fn some(flag: &str, text: &str) -> Result<Duration, Mistake> {
    at_least(flag, text, Duration::from_millis(1))
}

pub(super) fn at_least(flag: &str, text: &str, least: Duration) -> Result<Duration, Mistake> {
    match any(flag, text)? {
        short if short < least => {
            Err(Mistake(format!("{flag} {text}: too short; write at least {}", format_duration(least))))
        }
        time => Ok(time),
    }
}
