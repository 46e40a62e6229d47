//! The macros of the task framework; use them through `task_core` and `task_worker`, which re-export them.
//!
//! - [`derive(TaskParams)`](macro@TaskParams) makes a type of the user the params of a task: what travels through the
//!   queue. An application that only enqueues needs no more.
//! - [`#[task]`](macro@task) makes a task of a function: its arguments become the params, and a worker runs it.
//!
//! # Options
//!
//! Both take the same options, all of them optional:
//!
//! | option | value | without it |
//! |---|---|---|
//! | `name` | the task's name in the queue: 1 to 64 characters out of `A-Z a-z 0-9 _ . : / -` | the type's name in snake_case, or the function's |
//! | `alias` | a former name, which workers go on to take; repeatable | none |
//! | `output` | the type of the result (of a function: its return type) | `()` |
//! | `queue` | the named queue | the default one |
//! | `priority` | 0 to 100, the higher the sooner | 50 |
//! | `max_retries` | how often a failed run is repeated | as the worker says |
//! | `max_crashes` | how many crashes of its process a task survives; 0 is at most once | 3 |
//! | `backoff` | the wait before a retry: `"1s..10m"` doubles from 1s to 10m, `"5s"` is always the same | as the worker says |
//! | `timeout` | how long one run may take: `"500ms"`, `"30s"`, `"5m"`, `"2h"`, `"1d"`, `"1h 30m"` | no limit |
//! | `retention` | how long the result is kept, written like `timeout` | as the queue says |
//! | `crate` | the path to `task_core` (of a function: to `task_worker`), where the dependencies in `Cargo.toml` don't lead there | found by `Cargo.toml` |
//!
//! A mistake in an option is a compile error on the value that is wrong.

mod case;
mod derive;
mod errors;
mod function;
mod item;
mod krate;
mod options;
mod params;
mod tokens;

#[cfg(test)]
mod expansion;

use proc_macro::TokenStream;

/// Makes a type the params of a task: `impl TaskParams`.
///
/// The type also needs serde's `Serialize` and `Deserialize`, and owns its data. `#[task(…)]` beside it sets
/// [options](crate#options); it may stand above or below the derive.
///
/// ```ignore
/// #[derive(Serialize, Deserialize, TaskParams)]
/// #[task(name = "extract", output = Report, max_retries = 5, timeout = "30s")]
/// pub struct Extract {
///     pub source: String,
///     #[serde(default = "one")]
///     pub batch_size: u32, // came later: messages of older producers lack it
/// }
/// ```
#[proc_macro_derive(TaskParams, attributes(task))]
pub fn derive_task_params(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    derive::expand(&input, krate::core).into()
}

/// Makes a task of a function. An `async fn` runs on the worker's runtime, any other on the blocking pool.
///
/// ```ignore
/// /// Makes an image smaller.
/// #[task(max_retries = 1, timeout = "5m")]
/// pub async fn resize(
///     source: String,
///     #[serde(default = "full")] width: u32,
///     #[state] db: &Pool,
///     ctx: TaskContext,
/// ) -> anyhow::Result<u64> {
///     ctx.progress(0.5, "reading");
///     Ok(db.count(&source).await? * u64::from(width))
/// }
/// ```
///
/// The function stays as it is, so a test calls `resize(…)` directly. Beside it come
/// - `struct Resize { source: String, width: u32 }`, the params, as visible as the function, with
///   `Serialize`, `Deserialize` and [`TaskParams`](macro@TaskParams): `queue.enqueue(Resize { … })`;
/// - `Resize::task(db: Pool) -> impl Task`, the task: `registry.register(Resize::task(pool))`.
///
/// # Arguments
/// - A plain argument is a field of the params. Attributes such as `#[serde(default)]` and doc comments go with it.
///   Params own their data: `String`, not `&str`.
/// - `#[state]` marks what the worker has and the queue does not carry. The task owns it: by reference (`db: &Pool`)
///   it is lent to each run, by value (`db: Pool`) it is cloned for each run. For `&str`, `&Path` and `&[T]` the task
///   owns a `String`, a `PathBuf` and a `Vec<T>`.
/// - A `TaskContext`, or `&TaskContext`, is the context of the run.
///
/// # Return type
/// Nothing, or `Result<T, E>` with an error that `?` can turn into a `TaskError`: `TaskResult<T>`, `anyhow::Result<T>`,
/// `std::io::Result<T>`. `T` is the output of the task, and serializable.
///
/// # Attributes
/// Doc comments, `#[allow]`, `#[cfg]` and `#[deprecated]` hold for the generated type as well. `#[derive]` and
/// `#[serde]` below `#[task]` go to the generated type alone. All others stay with the function.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    item::expand(options.into(), item.into(), krate::worker).into()
}
