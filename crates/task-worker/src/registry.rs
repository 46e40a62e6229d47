use std::{any::type_name, collections::BTreeMap, fmt, future::Future, panic::Location, sync::Arc};

use bytes::Bytes;
use task_core::{Name, TaskOptions, TaskParams, TaskResult};

use crate::{
    Task, TaskContext,
    handler::{self, BoxFuture, Handler},
    pace::Pace,
};

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
    entries: BTreeMap<Name, Arc<Registered>>,
}

/// A registered kind of task.
pub(crate) struct Registered {
    handler: Arc<Handler>,
    /// Its retries, backoff and timeout, behind those of a message.
    pub(crate) options: TaskOptions,
    pub(crate) kind: Kind,
    /// How quickly it runs.
    pub(crate) pace: Pace,
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
    /// The whole of an attempt; panics are caught.
    pub(crate) fn run(&self, ctx: TaskContext) -> BoxFuture<TaskResult<Bytes>> {
        (self.handler)(ctx)
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
        let kind = if T::BLOCKING { Kind::Blocking } else { Kind::Async };
        self.insert_params::<T::Params>(kind, type_name::<T>(), handler::task(task))
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
        self.insert_params::<P>(Kind::Async, type_name::<F>(), handler::function(f))
    }

    /// A blocking function or closure of `(params, ctx)`, run on a thread of its own; as many at once as there are cores,
    /// unless the worker is told otherwise. What it captures is cloned for each attempt. It can't be stopped: at its
    /// timeout, or when it is cancelled, its context says so, and that is all.
    ///
    /// # Panics
    /// If a task of that name is there already; both places are named.
    #[track_caller]
    pub fn register_blocking<P, F>(self, f: F) -> Self
    where
        P: TaskParams,
        F: FnOnce(P, TaskContext) -> TaskResult<P::Output> + Clone + Send + Sync + 'static,
    {
        self.insert_params::<P>(Kind::Blocking, type_name::<F>(), handler::blocking(f))
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
        let (what, place) = ("a task without a type", Location::caller());
        let (handler, pace) = (handler::bytes(handler), Pace::default());
        self.insert(name, Registered { handler, options, kind, pace, what, place }.into());
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

    pub(crate) fn get(&self, name: &Name) -> Option<&Arc<Registered>> {
        self.entries.get(name)
    }

    #[track_caller]
    fn insert_params<P: TaskParams>(mut self, kind: Kind, what: &'static str, handler: Arc<Handler>) -> Self {
        let (options, pace, place) = (P::options(), Pace::default(), Location::caller());
        let entry = Arc::new(Registered { handler, options, kind, pace, what, place });
        for name in std::iter::once(P::NAME).chain(P::ALIASES.iter().copied()) {
            match Name::from_static(name) {
                Ok(name) => self.insert(name, entry.clone()),
                Err(error) => panic!("{what} can't be registered: {error}"),
            }
        }
        self
    }

    #[track_caller]
    fn insert(&mut self, name: Name, entry: Arc<Registered>) {
        let (what, place) = (entry.what, entry.place);
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use serde::{Deserialize, Serialize};

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
}
