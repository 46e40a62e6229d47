use std::future::Future;

use task_core::{TaskError, TaskParams, TaskResult};

use crate::TaskContext;

/// What a task returns, by its params.
pub(crate) type OutputOf<T> = <<T as Task>::Params as TaskParams>::Output;

/// The code that runs a kind of task. Its state is its fields.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use task_worker::prelude::*;
///
/// #[derive(Serialize, Deserialize, TaskParams)]
/// #[task(output = usize)]
/// struct CountWords {
///     text: String,
/// }
///
/// struct Counter;
///
/// impl Task for Counter {
///     type Params = CountWords;
///     async fn run(&self, params: CountWords, _ctx: TaskContext) -> TaskResult<usize> {
///         if params.text.is_empty() {
///             return Err(TaskError::skip("nothing to count"));
///         }
///         Ok(params.text.split_whitespace().count())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // a test needs neither queue nor worker
/// assert_eq!(Counter.run(CountWords { text: "a b c".into() }, TaskContext::detached()).await?, 3);
/// # Ok(())
/// # }
/// ```
///
/// The hooks run within the attempt and its timeout, so they may run more than once, as the task itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    label = "the trait `Task` is not implemented for `{Self}`",
    note = "`register` takes a type that implements `Task`, or what the `task()` of a `#[task]` function gives",
    note = "for an async closure or function of `(params, ctx)` use `register_fn`; for a blocking one, `register_blocking`"
)]
pub trait Task: Send + Sync + 'static {
    /// Its input.
    type Params: TaskParams;

    /// A run occupies a thread, or a core, from its start to its end: as many run at once as there are cores, unless the
    /// worker is told otherwise. `#[task]` sets it for functions that are not async.
    const BLOCKING: bool = false;

    /// Does the work, once an attempt.
    fn run(
        &self,
        params: Self::Params,
        ctx: TaskContext,
    ) -> impl Future<Output = TaskResult<OutputOf<Self>>> + Send;

    /// Before each attempt; an error ends the attempt as one of [`run`](Self::run) would.
    fn before_run(
        &self,
        _params: &Self::Params,
        _ctx: &TaskContext,
    ) -> impl Future<Output = TaskResult> + Send {
        async { Ok(()) }
    }

    /// After an attempt that returned a value; an error is logged and changes nothing.
    fn on_success(
        &self,
        _output: &OutputOf<Self>,
        _ctx: &TaskContext,
    ) -> impl Future<Output = TaskResult> + Send {
        async { Ok(()) }
    }

    /// After an attempt that returned an error or panicked (not after its timeout, which ends everything of it); an
    /// error is logged and changes nothing.
    fn on_failure(&self, _error: &TaskError, _ctx: &TaskContext) -> impl Future<Output = TaskResult> + Send {
        async { Ok(()) }
    }
}

/// What a `#[task]` function may return: nothing, `TaskResult<T>`, or any `Result` whose error `?` could pass on.
///
/// That the value is serializable and the error one for `?` is asked of neither here, but once each by what the macro
/// writes: as bounds they would be reported again at every use of the task's output.
#[diagnostic::on_unimplemented(
    message = "a task can't return `{Self}`",
    label = "return `TaskResult<T>`, `Result<T, E>` or nothing",
    note = "a `#[task]` function returns `TaskResult<T>`, any `Result<T, E>` whose error `?` could pass on, or nothing"
)]
pub trait TaskReturn {
    /// The value of a task that succeeds.
    type Value;
    /// The error of one that fails.
    type Error;

    /// The same as a `Result`.
    ///
    /// # Errors
    /// The function's own error.
    fn into_result(self) -> Result<Self::Value, Self::Error>;
}

impl TaskReturn for () {
    type Value = ();
    type Error = TaskError;
    fn into_result(self) -> TaskResult {
        Ok(())
    }
}

impl<T, E> TaskReturn for Result<T, E> {
    type Value = T;
    type Error = E;
    fn into_result(self) -> Self {
        self
    }
}
