use std::{str::FromStr, time::Duration};

use task_core::{Name, RetryPolicy, TaskId, TaskOptions, Timestamp};

use super::time;

const WHEN: &str = "When it runs";
const HOW: &str = "How it runs";

#[derive(Debug, clap::Args)]
pub(crate) struct EnqueueArgs {
    /// The name of the task
    pub(crate) name: Name,
    /// Its params, or - to read them from stdin [default: {}]
    #[arg(value_name = "JSON|-", allow_negative_numbers = true)]
    pub(crate) params: Option<String>,
    /// Under this id: to enqueue it again is then the same as to enqueue it once [default: a new one]
    #[arg(long)]
    pub(crate) id: Option<TaskId>,
    /// Not while a task of this name with this key is live
    #[arg(long, value_name = "KEY", conflicts_with = "unique_in_queue")]
    unique: Option<String>,
    /// Not while any task of the named queue with this key is live
    #[arg(long, value_name = "KEY")]
    unique_in_queue: Option<String>,
    /// A header that its code can read; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    header: Vec<Header>,
    /// Wait for the result: without end, or so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, value_parser = time)]
    #[expect(clippy::option_option, reason = "clap's form of a flag with an optional value")]
    pub(crate) wait: Option<Option<Duration>>,

    /// Not before so long after now [default: at once]
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "at", help_heading = WHEN)]
    delay: Option<Duration>,
    /// Not before this time, such as 2030-01-31T18:00:00Z
    #[arg(long, value_name = "RFC3339", help_heading = WHEN)]
    at: Option<Timestamp>,
    /// Cancel it unless it has started so long after now [default: never]
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "expires_at", help_heading = WHEN)]
    expires: Option<Duration>,
    /// Cancel it unless it has started by this time
    #[arg(long, value_name = "RFC3339", help_heading = WHEN)]
    expires_at: Option<Timestamp>,
    /// 0 to 100, the highest first [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=100), help_heading = WHEN)]
    priority: Option<u8>,

    /// How often a failed attempt is tried again [default: what the worker says, else 3]
    #[arg(long, value_name = "N", help_heading = HOW)]
    max_retries: Option<u32>,
    /// The wait before each retry: 5s, or 1s..10m, which doubles from the one to the other and is a random part of
    /// that [default: what the worker says, else 1s..10m]
    #[arg(long, value_name = "TIME[..TIME]", help_heading = HOW)]
    backoff: Option<RetryPolicy>,
    /// How many times its worker may die under it; 0 means at most once [default: 3]
    #[arg(long, value_name = "N", help_heading = HOW)]
    max_crashes: Option<u8>,
    /// The longest an attempt may take [default: what the worker says, else no limit]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = HOW)]
    timeout: Option<Duration>,
    /// How long its result is kept [default: 24h, 7d if it FAILED]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = HOW)]
    retention: Option<Duration>,
}

impl EnqueueArgs {
    /// What is said of the task beside its params.
    pub(crate) fn options(&self, queue: &Name) -> TaskOptions {
        let mut options = TaskOptions::default().queue(queue.to_string());
        if let Some(delay) = self.delay {
            options = options.delay(delay);
        }
        if let Some(at) = self.at {
            options = options.at(at);
        }
        if let Some(expires) = self.expires {
            options = options.expires(expires);
        }
        if let Some(at) = self.expires_at {
            options = options.expires_at(at);
        }
        if let Some(key) = &self.unique {
            options = options.unique(key);
        }
        if let Some(key) = &self.unique_in_queue {
            options = options.unique_in_queue(key);
        }
        for Header { name, value } in &self.header {
            options = options.header(name, value);
        }
        (options.priority, options.max_retries) = (self.priority, self.max_retries);
        (options.max_crashes, options.timeout) = (self.max_crashes, self.timeout);
        (options.backoff, options.retention) = (self.backoff, self.retention);
        options
    }
}

/// `NAME=VALUE`; the value may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    name: String,
    value: String,
}

#[derive(Debug, thiserror::Error)]
#[error("write NAME=VALUE, such as user=ann")]
struct InvalidHeader;

impl FromStr for Header {
    type Err = InvalidHeader;

    fn from_str(text: &str) -> Result<Self, InvalidHeader> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self { name: name.into(), value: value.into() }),
            _ => Err(InvalidHeader),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use task_core::{TaskMessage, jsonl};

    use super::*;
    use crate::cli::{Args, QueueVerb, Verb};

    fn enqueue<'a>(words: impl IntoIterator<Item = &'a str>) -> EnqueueArgs {
        match Args::try_parse_from(words).unwrap().verb {
            Verb::OnQueue(QueueVerb::Enqueue(args)) => *args,
            other => panic!("{other:?}"),
        }
    }

    /// An export that came back with a default in place of what was said would run a task another way.
    #[test]
    fn every_flag_says_what_its_key_says_in_a_line_of_json() {
        let flags = "taskctl enqueue send --id a --priority 7 --at 2030-01-31T18:00:00Z \
                     --expires-at 2030-02-01T18:00:00Z --unique-in-queue k --max-retries 2 --max-crashes 1 \
                     --backoff 2s..1m --timeout 90s --retention 1h --header user=ann --header note=a=b";
        let line = r#"{"task": "send", "id": "a", "priority": 7, "at": "2030-01-31T18:00:00Z",
            "expires_at": "2030-02-01T18:00:00Z", "unique_in_queue": "k", "max_retries": 2, "max_crashes": 1,
            "backoff": "2s..1m", "timeout": "90s", "retention": "1h", "headers": {"user": "ann", "note": "a=b"}}"#;
        let args = enqueue(flags.split_whitespace());
        let queue = "mail".parse().unwrap();
        let options = args.options(&queue);
        let message = TaskMessage::new(args.id.unwrap(), args.name.to_string(), vec![0x80], options).unwrap();
        assert_eq!(message, jsonl::read(&line.replace('\n', ""), &queue).unwrap());
    }

    #[test]
    fn params_may_be_a_negative_number() {
        let args = enqueue(["taskctl", "enqueue", "count", "-5", "--delay", "1"]);
        assert_eq!(args.params.as_deref(), Some("-5"));
    }
}
