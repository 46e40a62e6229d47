use std::{error::Error, fmt, time::Duration};

use crate::{Failure, FailureKind, duration::LONGEST};

/// Any error that can go from thread to thread.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// What a task's code returns.
pub type TaskResult<T = ()> = Result<T, TaskError>;

/// Why an attempt ended without a value. `?` turns any error into one that is tried again.
///
/// ```
/// use task_core::{OrTaskError, TaskError, TaskResult};
///
/// fn parse(line: &str) -> TaskResult<u32> {
///     if line.is_empty() {
///         return Err(TaskError::skip("an empty line"));
///     }
///     line.parse::<u32>().or_fatal() // trying again can't help
/// }
/// # assert!(parse("x").is_err());
/// ```
pub struct TaskError {
    kind: ErrorKind,
    stored_as: FailureKind,
    source: BoxError,
}

/// What is to become of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Try again while retries are left: `after` a time of the task's choice, else by its backoff.
    Retry {
        /// The time of the task's choice.
        after: Option<Duration>,
    },
    /// It has FAILED: trying again can't help.
    Fatal,
    /// It is SKIPPED: there was nothing to do.
    Skip,
    /// It is CANCELLED: it heeded a cancel, or says so itself.
    Cancelled,
}

impl TaskError {
    /// Try again while retries are left. This is what `?` does.
    pub fn retry(error: impl Into<BoxError>) -> Self {
        Self::of(ErrorKind::Retry { after: None }, FailureKind::Error, error)
    }

    /// Try again after this time, while retries are left; more than a hundred years are a hundred years.
    pub fn retry_after(after: Duration, error: impl Into<BoxError>) -> Self {
        Self::of(ErrorKind::Retry { after: Some(after.min(LONGEST)) }, FailureKind::Error, error)
    }

    /// Trying again can't help: FAILED.
    pub fn fatal(error: impl Into<BoxError>) -> Self {
        Self::of(ErrorKind::Fatal, FailureKind::Fatal, error)
    }

    /// There is nothing to do: SKIPPED, for this reason.
    pub fn skip(reason: impl Into<BoxError>) -> Self {
        Self::of(ErrorKind::Skip, FailureKind::Skipped, reason)
    }

    /// The task stops because it was told to: CANCELLED.
    pub fn cancelled() -> Self {
        Self::of(ErrorKind::Cancelled, FailureKind::Cancelled, "the task stopped as it was asked to")
    }

    /// What is to become of the task.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error, stored as another kind of failure: for those who run tasks.
    #[doc(hidden)]
    #[must_use]
    pub fn stored_as(self, kind: FailureKind) -> Self {
        Self { stored_as: kind, ..self }
    }

    fn of(kind: ErrorKind, stored_as: FailureKind, source: impl Into<BoxError>) -> Self {
        Self { kind, stored_as, source: source.into() }
    }
}

/// The error and its sources, one after the other.
impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)?;
        let mut next = self.source.source();
        while let Some(source) = next {
            write!(f, ": {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

// `TaskError` is no `std::error::Error` itself: that is what lets `?` take any error.
#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

impl From<TaskError> for Box<dyn Error> {
    fn from(error: TaskError) -> Self {
        error.source
    }
}

impl From<&TaskError> for Failure {
    fn from(error: &TaskError) -> Self {
        Self::new(error.stored_as, error.to_string())
    }
}

/// Says at the place of an error what is to become of the task.
pub trait OrTaskError<T>: Sized {
    /// An error is fatal: trying again can't help.
    ///
    /// # Errors
    /// The error, as [`TaskError::fatal`].
    fn or_fatal(self) -> TaskResult<T>;

    /// With an error there is nothing to do.
    ///
    /// # Errors
    /// The error, as [`TaskError::skip`].
    fn or_skip(self) -> TaskResult<T>;

    /// With an error, try again after this time.
    ///
    /// # Errors
    /// The error, as [`TaskError::retry_after`].
    fn or_retry_after(self, after: Duration) -> TaskResult<T>;
}

impl<T, E: Into<BoxError>> OrTaskError<T> for Result<T, E> {
    fn or_fatal(self) -> TaskResult<T> {
        self.map_err(TaskError::fatal)
    }
    fn or_skip(self) -> TaskResult<T> {
        self.map_err(TaskError::skip)
    }
    fn or_retry_after(self, after: Duration) -> TaskResult<T> {
        self.map_err(|error| TaskError::retry_after(after, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_is_tried_again_and_is_stored_with_its_sources() {
        fn run() -> TaskResult {
            let parsed = "x".parse::<u32>();
            parsed.map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))?;
            Ok(())
        }
        let error = run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Retry { after: None });
        assert_eq!(Failure::from(&error).message, "invalid digit found in string");
        let text: TaskError = "no such row".into();
        assert_eq!(Failure::from(&text), Failure::new(FailureKind::Error, "no such row"));
    }
}
