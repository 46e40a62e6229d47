use std::{any::type_name, collections::BTreeMap, fmt, future::Future, panic::Location, pin::Pin, sync::Arc};

use bytes::Bytes;
use task_core::{FailureKind, Name, Payload as _, TaskError, TaskOptions, TaskParams, TaskResult};

use crate::{Task, TaskContext, blocking, panic::caught_async};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Handler = dyn Fn(Bytes, TaskContext) -> BoxFuture<TaskResult<Bytes>> + Send + Sync;

/// Name → task: what a worker has code for.
///
/// ```
/// # use task_worker::prelude::*;
/// # #[derive(serde::Serialize, serde::Deserialize, TaskParams)]
/// # struct Ping;
/// # #[derive(serde::Serialize, serde::Deserialize, TaskParams)]
/// # #[task(output = String)]
/// # struct Read { path: String }
/// let registry = TaskRegistry::new()
///     .register_fn(|_: Ping, _ctx| async { Ok(()) })
///     .register_blocking(|read: Read, _ctx| Ok(std::fs::read_to_string(read.path)?));
/// assert_eq!(registry.names().map(|name| name.as_str()).collect::<Vec<_>>(), ["ping", "read"]);
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct TaskRegistry {
    entries: BTreeMap<Name, Registered>,
}

/// A registered kind of task.
#[derive(Clone)]
pub(crate) struct Registered {
    handler: Arc<Handler>,
    /// Its retries, backoff and timeout, behind those of a message.
    pub(crate) options: TaskOptions,
    pub(crate) kind: Kind,
    what: &'static str,
    place: &'static Location<'static>,
}

/// What a run of a task occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing while it waits.
    Async,
    /// A thread from its start to its end.
    Blocking,
}

impl Registered {
    /// The whole of an attempt: decode, `before_run`, `run`, the hooks, encode; panics are caught.
    pub(crate) fn run(&self, params: Bytes, ctx: TaskContext) -> BoxFuture<TaskResult<Bytes>> {
        (self.handler)(params, ctx)
    }
}

impl TaskRegistry {
    /// No task yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A task, under the name and the aliases of its params.
    ///
    /// # Panics
    /// If a task of that name is there already; both places are named.
    #[track_caller]
    pub fn register<T: Task>(self, task: T) -> Self {
        let task = Arc::new(task);
        let kind = if T::BLOCKING { Kind::Blocking } else { Kind::Async };
        self.insert_params::<T::Params>(
            kind,
            type_name::<T>(),
            Arc::new(move |params, ctx| Box::pin(run_task(task.clone(), params, ctx))),
        )
    }

    /// An async function or closure of `(params, ctx)`. What it captures is cloned for each attempt, so put what is
    /// large into an `Arc`.
    ///
    /// # Panics
    /// If a task of that name is there already; both places are named.
    #[track_caller]
    pub fn register_fn<P, F, Fut>(self, f: F) -> Self
    where
        P: TaskParams,
        F: FnOnce(P, TaskContext) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = TaskResult<P::Output>> + Send + 'static,
    {
        let handler = move |params: Bytes, ctx| -> BoxFuture<_> {
            let f = f.clone();
            Box::pin(caught_async(async move { encode::<P>(&f(decode::<P>(&params)?, ctx).await?) }))
        };
        self.insert_params::<P>(Kind::Async, type_name::<F>(), Arc::new(handler))
    }

    /// A blocking function or closure of `(params, ctx)`, run on a thread of its own; as many at once as there are cores,
    /// unless the worker is told otherwise. What it captures is cloned for each attempt. It can't be stopped: at its timeout, or when it is cancelled, its context says so, and that is all.
    ///
    /// # Panics
    /// If a task of that name is there already; both places are named.
    #[track_caller]
    pub fn register_blocking<P, F>(self, f: F) -> Self
    where
        P: TaskParams,
        F: FnOnce(P, TaskContext) -> TaskResult<P::Output> + Clone + Send + Sync + 'static,
    {
        let handler = move |params: Bytes, ctx| -> BoxFuture<_> {
            let f = f.clone();
            Box::pin(caught_async(async move {
                let params = decode::<P>(&params)?;
                blocking(move || encode::<P>(&f(params, ctx)?)).await
            }))
        };
        self.insert_params::<P>(Kind::Blocking, type_name::<F>(), Arc::new(handler))
    }

    /// A task known by its name alone; its params and its result are MessagePack.
    ///
    /// # Panics
    /// If a task of that name is there already; both places are named.
    #[track_caller]
    pub fn register_named(
        self,
        name: Name,
        options: TaskOptions,
        handler: impl Fn(Bytes, TaskContext) -> BoxFuture<TaskResult<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.insert_named(Kind::Async, name, options, handler)
    }

    /// The same for a handler of either kind.
    #[track_caller]
    pub(crate) fn insert_named(
        mut self,
        kind: Kind,
        name: Name,
        options: TaskOptions,
        handler: impl Fn(Bytes, TaskContext) -> BoxFuture<TaskResult<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let handler = Arc::new(handler);
        let handler = move |params, ctx| -> BoxFuture<_> {
            let handler = handler.clone();
            // called within the future, where its panics are caught
            Box::pin(caught_async(async move { handler(params, ctx).await }))
        };
        let (what, place) = ("a task without a type", Location::caller());
        self.insert(name, Registered { handler: Arc::new(handler), options, kind, what, place });
        self
    }

    /// Whether every task occupies a thread while it runs.
    pub(crate) fn only_blocking(&self) -> bool {
        !self.entries.is_empty() && self.entries.values().all(|entry| entry.kind == Kind::Blocking)
    }

    /// The names, aliases too, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.entries.keys()
    }

    pub(crate) fn get(&self, name: &Name) -> Option<&Registered> {
        self.entries.get(name)
    }

    #[track_caller]
    fn insert_params<P: TaskParams>(mut self, kind: Kind, what: &'static str, handler: Arc<Handler>) -> Self {
        let entry = Registered { handler, options: P::options(), kind, what, place: Location::caller() };
        for name in std::iter::once(P::NAME).chain(P::ALIASES.iter().copied()) {
            match Name::from_static(name) {
                Ok(name) => self.insert(name, entry.clone()),
                Err(error) => panic!("{what} can't be registered: {error}"),
            }
        }
        self
    }

    #[track_caller]
    fn insert(&mut self, name: Name, entry: Registered) {
        let Registered { what, place, .. } = entry;
        if let Some(old) = self.entries.insert(name.clone(), entry) {
            panic!(
                "two tasks are named `{name}`: {} at {} and {what} at {place}\nhelp: give one another name with #[task(name = \"…\")]",
                old.what, old.place
            );
        }
    }
}

impl fmt::Debug for TaskRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

async fn run_task<T: Task>(task: Arc<T>, params: Bytes, ctx: TaskContext) -> TaskResult<Bytes> {
    let ended = caught_async(async {
        let params = decode::<T::Params>(&params)?;
        task.before_run(&params, &ctx).await?;
        let output = task.run(params, ctx.clone()).await?;
        Ok((encode::<T::Params>(&output)?, output))
    })
    .await;
    match ended {
        Ok((bytes, output)) => {
            log_hook("on_success", caught_async(task.on_success(&output, &ctx)).await);
            Ok(bytes)
        }
        Err(error) => {
            log_hook("on_failure", caught_async(task.on_failure(&error, &ctx)).await);
            Err(error)
        }
    }
}

fn log_hook(hook: &'static str, ended: TaskResult) {
    if let Err(error) = ended {
        let error = error.to_string();
        tracing::warn!(hook, error = %task_core::printable(&error), "a hook failed; the attempt ends as it would have");
    }
}

fn decode<P: TaskParams>(params: &[u8]) -> TaskResult<P> {
    P::from_bytes(params).map_err(|error| {
        TaskError::retry(format!("the params of `{}` can't be decoded: {error}", P::NAME))
            .stored_as(FailureKind::Params)
    })
}

fn encode<P: TaskParams>(output: &P::Output) -> TaskResult<Bytes> {
    output.to_bytes().map(Bytes::from).map_err(|error| {
        TaskError::fatal(format!("the result of `{}` can't be encoded: {error}", P::NAME))
            .stored_as(FailureKind::Result)
    })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use serde::{Deserialize, Serialize};
    use task_core::Failure;

    use super::*;

    #[derive(Serialize, Deserialize, task_core::TaskParams)]
    #[task(alias = "old_ping", max_retries = 7)]
    struct Ping {
        n: u8,
    }

    #[test]
    fn two_tasks_of_one_name_are_refused_with_both_places() {
        let first = TaskRegistry::new().register_fn(|_: Ping, _| async { Ok(()) });
        let line = line!() - 1;
        let twice = catch_unwind(AssertUnwindSafe(|| first.register_blocking(|_: Ping, _| Ok(()))));
        let message = *twice.unwrap_err().downcast::<String>().unwrap();
        assert!(message.starts_with("two tasks are named `ping`: "), "{message}");
        assert!(message.contains(&format!("registry.rs:{line}:")), "{message}");
        assert!(message.contains(&format!("registry.rs:{}:", line + 2)), "{message}");
    }

    #[test]
    fn a_former_name_leads_to_the_same_task_with_its_options() {
        let registry = TaskRegistry::new().register_fn(|_: Ping, _| async { Ok(()) });
        let old = registry.get(&Name::from_static("old_ping").unwrap()).unwrap();
        assert_eq!(old.options.max_retries, Some(7));
    }

    #[tokio::test]
    async fn params_that_do_not_decode_are_an_error_of_their_own_kind() {
        let registry = TaskRegistry::new().register_fn(|_: Ping, _| async { Ok(()) });
        let ping = registry.get(&Name::from_static("ping").unwrap()).unwrap();
        let params = task_core::encode("no ping").unwrap().into();
        let error = ping.run(params, TaskContext::detached()).await.unwrap_err();
        assert_eq!(Failure::from(&error).kind, FailureKind::Params);
        assert_eq!(error.kind(), task_core::ErrorKind::Retry { after: None });
    }

    struct Hooked;
    impl Task for Hooked {
        type Params = Ping;
        async fn run(&self, params: Ping, _ctx: TaskContext) -> TaskResult {
            if params.n == 0 { panic!("zero") } else { Ok(()) }
        }
        async fn before_run(&self, params: &Ping, ctx: &TaskContext) -> TaskResult {
            ctx.progress(0.1, "before");
            if params.n == 2 { Err(TaskError::skip("two")) } else { Ok(()) }
        }
        async fn on_success(&self, _: &(), ctx: &TaskContext) -> TaskResult {
            ctx.progress(1.0, "success");
            Err("the hook's own".into())
        }
        async fn on_failure(&self, error: &TaskError, ctx: &TaskContext) -> TaskResult {
            ctx.progress(0.9, error.to_string());
            panic!("in a hook")
        }
    }

    #[tokio::test]
    async fn hooks_see_how_an_attempt_ended_and_change_nothing_of_it() {
        let registry = TaskRegistry::new().register(Hooked);
        let ping = registry.get(&Name::from_static("ping").unwrap()).unwrap();
        let run = async |n| {
            let ctx = TaskContext::detached();
            let params = task_core::encode(&Ping { n }).unwrap().into();
            let ended = ping.run(params, ctx.clone()).await;
            (ended.map_err(|error| error.to_string()), ctx.take_progress().unwrap().note)
        };
        let (ended, note) = run(1).await;
        assert!(ended.is_ok() && note == "success");
        let (ended, note) = run(2).await;
        assert_eq!((ended, note.as_str()), (Err("two".into()), "two"));
        let (ended, note) = run(0).await;
        assert!(ended.unwrap_err().ends_with(": zero") && note.ends_with(": zero"), "{note}");
    }
}
