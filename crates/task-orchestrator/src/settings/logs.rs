use tracing::level_filters::LevelFilter;

use super::{Mistake, Surroundings};
use crate::cli::Common;

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Logs {
    pub(crate) level: LevelFilter,
    pub(crate) json: bool,
}

impl Logs {
    pub(super) fn resolve(flags: &Common, default: &str, around: &Surroundings<'_>) -> Result<Self, Mistake> {
        Self::of(flags.log_level.clone(), flags.log_format.clone(), default, around)
    }

    /// As the environment alone says.
    pub(crate) fn from_env(around: &Surroundings<'_>) -> Result<Self, Mistake> {
        Self::of(None, None, "info", around)
    }

    fn of(
        level: Option<String>,
        format: Option<String>,
        default: &str,
        around: &Surroundings<'_>,
    ) -> Result<Self, Mistake> {
        let level = around.said("--log-level", level, "LOG_LEVEL");
        let (source, level) = level.unwrap_or(("--log-level", default.into()));
        let parsed = match level.to_ascii_lowercase().as_str() {
            "warning" => Ok(LevelFilter::WARN),
            "critical" => Ok(LevelFilter::ERROR),
            other => other.parse(),
        };
        let level = parsed.map_err(|_| {
            let wrong = level.escape_debug();
            Mistake(format!("{source} {wrong}: there are error, warning, info, debug, trace and off"))
        })?;
        let format = around.said("--log-format", format, "LOG_FORMAT");
        let json = match format.as_ref().map(|(source, format)| (*source, format.as_str())) {
            None | Some((_, "text")) => false,
            Some((_, "json")) => true,
            Some((source, wrong)) => {
                let wrong = wrong.escape_debug();
                return Err(Mistake(format!("{source} {wrong}: there are text and json")));
            }
        };
        Ok(Self { level, json })
    }
}
