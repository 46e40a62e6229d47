//! What a worker is set to: by its builder, and over that by the environment.

use std::{num::NonZeroU32, time::Duration};

use task_core::{Incarnation, Name, QueueError, Registration, RetryPolicy, parse_duration};

use crate::{TaskRegistry, observe::Observer};

/// Why a worker can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A variable of the environment has a value that can't be.
    #[error("{variable}=`{}` can't be: {problem}", .value.escape_debug())]
    Env {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it, and what to write.
        problem: String,
    },
    /// The builder was given what can't be.
    #[error("{0}")]
    Invalid(String),
    /// In a drain: the queue refuses to say whether anything is left in it.
    #[error("whether the queues are drained can't be told: {0}")]
    Refused(#[source] QueueError),
    /// The operating system refused a thread, a runtime or a signal.
    #[error("the worker can't start: {0}")]
    System(#[from] std::io::Error),
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How many tasks at once, if it is said.
    pub(crate) concurrency: Option<u32>,
    /// Of these, how many that block a thread, if it is said.
    pub(crate) blocking_concurrency: Option<u32>,
    pub(crate) max_retries: u32,
    pub(crate) backoff: RetryPolicy,
    pub(crate) timeout: Option<Duration>,
    pub(crate) queues: Vec<(Name, u32)>,
    pub(crate) label: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) lease: Duration,
    pub(crate) grace: Duration,
    pub(crate) heartbeat: Duration,
    /// It beats on the runtime that it runs on.
    pub(crate) heartbeat_here: bool,
    /// What the environment says of retries, which wins over the builder.
    pub(crate) env_retries: Option<u32>,
    pub(crate) env_concurrency: Option<u32>,
    /// No other worker will come that knows more tasks.
    pub(crate) closed_set: bool,
    pub(crate) observer: Observer,
    /// What follows from the two of them, the registry and the machine.
    pub(crate) slots: Slots,
}

/// How many tasks at once, where nothing is said and they are not all of the blocking kind.
const SLOTS: u32 = 64;

/// What is longer is cut, so that no sum of it and a moment overflows.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How many tasks run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slots {
    pub(crate) all: u32,
    /// Of these, so many that block a thread.
    pub(crate) blocking: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrency: None,
            blocking_concurrency: None,
            max_retries: 3,
            backoff: RetryPolicy::default(),
            timeout: None,
            queues: vec![(Name::DEFAULT_QUEUE, 1)],
            label: format!("worker-{}", std::process::id()),
            incarnation: Incarnation::new(),
            lease: Registration::LEASE,
            grace: Duration::from_secs(25),
            heartbeat: Duration::from_secs(3),
            heartbeat_here: false,
            env_retries: None,
            env_concurrency: None,
            closed_set: false,
            observer: Observer::default(),
            slots: Slots { all: SLOTS, blocking: SLOTS },
        }
    }
}

impl Settings {
    /// What the environment sets, by a look-up of its variables.
    pub(crate) fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, WorkerError> {
        let mut settings = Self::default();
        let mut set = |variable: &'static str,
                       take: &mut dyn FnMut(&mut Self, &str) -> Result<(), String>| {
            let Some(value) = lookup(variable).filter(|value| !value.is_empty()) else { return Ok(()) };
            take(&mut settings, &value).map_err(|problem| WorkerError::Env { variable, value, problem })
        };
        let number = |text: &str| text.parse().map_err(|_| "write a whole number from 0 up".to_owned());
        set("WORKER_ID", &mut |to, text| {
            to.label = text.to_owned();
            Ok(())
        })?;
        set("WORKER_INCARNATION", &mut |to, text| {
            to.incarnation = text.parse().map_err(|e: task_core::InvalidIncarnation| e.to_string())?;
            Ok(())
        })?;
        set("QUEUE_NAME", &mut |to, text| {
            to.queues = parse_queues(text)?;
            Ok(())
        })?;
        set("TASK_CONCURRENCY", &mut |to, text| {
            let number: NonZeroU32 = text.parse().map_err(|_| "write a whole number from 1 up".to_owned())?;
            to.env_concurrency = Some(number.get());
            Ok(())
        })?;
        set("TASK_MAX_RETRIES", &mut |to, text| {
            to.env_retries = Some(number(text)?);
            Ok(())
        })?;
        set("TASK_CLOSED_SET", &mut |to, _| {
            to.closed_set = true;
            Ok(())
        })?;
        set("TASK_GRACE", &mut |to, text| {
            to.grace = parse_duration(text).map_err(|error| error.to_string())?;
            Ok(())
        })?;
        Ok(settings)
    }

    /// With what the environment says over what the code says, for these tasks.
    pub(crate) fn resolved(mut self, registry: &TaskRegistry) -> Result<Self, WorkerError> {
        self.slots = self.slots_for(self.env_concurrency.or(self.concurrency), registry);
        self.max_retries = self.env_retries.unwrap_or(self.max_retries);
        for time in [&mut self.lease, &mut self.grace, &mut self.heartbeat] {
            *time = (*time).min(LONGEST);
        }
        if self.queues.is_empty() {
            return Err(WorkerError::Invalid(
                "the worker has no queue to work on; name one with TaskWorker::queues".into(),
            ));
        }
        Ok(self)
    }

    /// How many tasks of this registry run at once, where so many are said, or nothing.
    pub(crate) fn slots_for(&self, said: Option<u32>, registry: &TaskRegistry) -> Slots {
        let cores = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
        slots(said, self.blocking_concurrency, registry.only_blocking(), cores)
    }
}

/// What is said of all holds for both kinds, and where every task blocks a thread no more run than there are threads.
fn slots(said: Option<u32>, blocking: Option<u32>, only_blocking: bool, cores: u32) -> Slots {
    let threads = blocking.or(said).unwrap_or(cores).max(1);
    let all = if only_blocking { threads.min(said.unwrap_or(threads)) } else { said.unwrap_or(SLOTS) }.max(1);
    Slots { all, blocking: threads.min(all) }
}

/// `tasks=3,mail=1`; a name alone has weight 1.
fn parse_queues(text: &str) -> Result<Vec<(Name, u32)>, String> {
    let queue = |part: &str| {
        let (name, weight) = part.trim().split_once('=').unwrap_or((part.trim(), "1"));
        let name: Name = name.parse().map_err(|error: task_core::InvalidName| error.to_string())?;
        let weight: NonZeroU32 = weight.parse().map_err(|_| {
            format!("the weight of `{name}` is a whole number from 1 up, as in `tasks=3,mail=1`")
        })?;
        Ok((name, weight.get()))
    };
    text.split(',').map(queue).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let lookup = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        Settings::from_env(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_wins_over_the_code() {
        let mut settings =
            from(&[("QUEUE_NAME", "tasks=3,mail"), ("TASK_MAX_RETRIES", "9"), ("TASK_GRACE", "5")]).unwrap();
        assert!(!settings.closed_set && from(&[("TASK_CLOSED_SET", "1")]).unwrap().closed_set);
        settings.max_retries = 1;
        let settings = settings.resolved(&TaskRegistry::new()).unwrap();
        assert_eq!((settings.max_retries, settings.grace), (9, Duration::from_secs(5)));
        let weights: Vec<_> = settings.queues.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
        assert_eq!(weights, [("tasks", 3), ("mail", 1)]);
    }

    #[test]
    fn code_that_blocks_a_thread_gets_a_core_each_unless_it_is_told_otherwise() {
        // a worker took a whole batch of commands, while those beside it had nothing to do
        let slots = |said, blocking, only_blocking| {
            let Slots { all, blocking } = slots(said, blocking, only_blocking, 4);
            (all, blocking)
        };
        assert_eq!(slots(None, None, true), (4, 4));
        assert_eq!(slots(None, None, false), (64, 4));
        assert_eq!(slots(Some(100), None, false), (100, 100));
        assert_eq!(slots(Some(1), None, true), (1, 1));
        assert_eq!(slots(Some(100), Some(8), false), (100, 8));
        assert_eq!(slots(Some(100), Some(8), true), (8, 8), "no slot that nothing could run in");
        assert_eq!(slots(None, Some(8), true), (8, 8));
        assert_eq!(slots(Some(0), Some(0), false), (1, 1));
    }

    #[test]
    fn a_bad_value_is_named_with_its_variable_and_the_remedy() {
        let wrong = from(&[("TASK_CONCURRENCY", "0")]).unwrap_err();
        assert_eq!(wrong, "TASK_CONCURRENCY=`0` can't be: write a whole number from 1 up");
        assert!(from(&[("QUEUE_NAME", "tasks=x")]).unwrap_err().contains("as in `tasks=3,mail=1`"));
        assert!(from(&[("TASK_GRACE", "soon")]).unwrap_err().contains("TASK_GRACE=`soon`"));
    }
}
