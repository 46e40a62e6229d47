use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use task_core::{RetryPolicy, TaskOptions};

use super::{output::OutputRule, template::Argument};

/// A command task as `tasks.toml` has it, checked.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    /// Where the program lies.
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<Argument>,
    pub(super) settings: Settings,
}

/// What `[defaults]` can say too.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) cwd: PathBuf,
    pub(super) env: BTreeMap<String, String>,
    pub(super) pass_env: Vec<String>,
    pub(super) output: OutputRule,
    pub(super) timeout: Option<Duration>,
    pub(super) kill_after: Duration,
    pub(super) max_retries: Option<u32>,
    pub(super) backoff: Option<RetryPolicy>,
    pub(super) fatal_codes: Vec<i32>,
    pub(super) skip_codes: Vec<i32>,
    pub(super) allow_dash: bool,
}

impl Settings {
    /// What holds where a file says nothing; `folder` is the file's.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            cwd: folder.to_owned(),
            env: BTreeMap::new(),
            pass_env: Vec::new(),
            output: OutputRule::Auto,
            timeout: None,
            kill_after: Duration::from_secs(5),
            max_retries: None,
            backoff: None,
            fatal_codes: Vec::new(),
            skip_codes: Vec::new(),
            allow_dash: false,
        }
    }

    /// What the worker has to know before an attempt.
    pub(super) fn options(&self) -> TaskOptions {
        let mut options = TaskOptions::default();
        options.timeout = self.timeout;
        options.max_retries = self.max_retries;
        options.backoff = self.backoff;
        options
    }
}
