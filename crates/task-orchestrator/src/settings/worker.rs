use std::time::Duration;

use task_core::Name;

use super::{Mistake, Surroundings, times, weights};
use crate::cli::Common;

/// What a worker needs to know, wherever it runs.
#[derive(Clone, Debug)]
pub(crate) struct WorkerSettings {
    pub(crate) queues: Vec<(Name, u32)>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) grace: Duration,
}

impl WorkerSettings {
    pub(super) fn resolve(flags: &Common, around: &Surroundings<'_>) -> Result<Self, Mistake> {
        let concurrency = number(flags.concurrency, "TASK_CONCURRENCY", around)?;
        if concurrency == Some(0) {
            return Err(Mistake(
                "--concurrency 0: a worker must run at least one task at once; leave the flag out (and TASK_CONCURRENCY \
                 unset) for the default"
                    .into(),
            ));
        }
        let grace = around.said("--grace", flags.grace.clone(), "TASK_GRACE");
        let (source, grace) = grace.unwrap_or(("--grace", "25s".into()));
        Ok(Self {
            queues: weights::resolve(&flags.queue_name, around)?,
            concurrency,
            max_retries: number(flags.max_retries, "TASK_MAX_RETRIES", around)?,
            grace: times::any(source, &grace)?,
        })
    }
}

/// The flag, else the variable.
fn number(flag: Option<u32>, variable: &str, around: &Surroundings<'_>) -> Result<Option<u32>, Mistake> {
    let read = |value: String| {
        let wrong = || {
            let value = value.escape_debug();
            Mistake(format!("{variable}={value}: this is no whole number; write one, such as 4, or unset it"))
        };
        value.parse().map_err(|_| wrong())
    };
    flag.map_or_else(|| around.env(variable).map(read).transpose(), |flag| Ok(Some(flag)))
}
