//! What runs an attempt of a registered task, whatever kind of code it is: bytes in, bytes out, panics caught.

use std::{cell::RefCell, future::Future, pin::Pin, sync::Arc};

use bytes::{Bytes, BytesMut};
use task_core::{FailureKind, Payload as _, TaskError, TaskParams, TaskResult};

use crate::{Task, TaskContext, panic::caught_async};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The whole of an attempt: decode, `before_run`, `run`, the other hooks, encode.
pub(crate) type Handler = dyn Fn(TaskContext) -> BoxFuture<TaskResult<Bytes>> + Send + Sync;

/// A type with hooks.
pub(crate) fn task<T: Task>(task: T) -> Arc<Handler> {
    let task = Arc::new(task);
    Arc::new(move |ctx| Box::pin(run_task(task.clone(), ctx)))
}

/// An async function.
pub(crate) fn function<P, F, Fut>(f: F) -> Arc<Handler>
where
    P: TaskParams,
    F: FnOnce(P, TaskContext) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = TaskResult<P::Output>> + Send + 'static,
{
    Arc::new(move |ctx| {
        let f = f.clone();
        Box::pin(caught_async(async move {
            let params = decode::<P>(&ctx)?;
            let output = f(params, ctx).await?;
            encode::<P>(&output)
        }))
    })
}

/// A blocking function, run on a thread for such.
pub(crate) fn blocking<P, F>(f: F) -> Arc<Handler>
where
    P: TaskParams,
    F: FnOnce(P, TaskContext) -> TaskResult<P::Output> + Clone + Send + Sync + 'static,
{
    Arc::new(move |ctx| {
        let f = f.clone();
        Box::pin(caught_async(async move {
            let params = decode::<P>(&ctx)?;
            crate::blocking(move || encode::<P>(&f(params, ctx)?)).await
        }))
    })
}

/// Bytes in and out already.
pub(crate) fn bytes<F>(f: F) -> Arc<Handler>
where
    F: Fn(Bytes, TaskContext) -> BoxFuture<TaskResult<Bytes>> + Send + Sync + 'static,
{
    let f = Arc::new(f);
    Arc::new(move |ctx| {
        let f = f.clone();
        // called within the future, where its panics are caught
        Box::pin(caught_async(async move { f(ctx.params().clone(), ctx).await }))
    })
}

async fn run_task<T: Task>(task: Arc<T>, ctx: TaskContext) -> TaskResult<Bytes> {
    let ended = caught_async(async {
        let params = decode::<T::Params>(&ctx)?;
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

fn decode<P: TaskParams>(ctx: &TaskContext) -> TaskResult<P> {
    P::from_bytes(ctx.params()).map_err(|error| {
        TaskError::retry(format!("the params of `{}` can't be decoded: {error}", P::NAME))
            .stored_as(FailureKind::Params)
    })
}

fn encode<P: TaskParams>(output: &P::Output) -> TaskResult<Bytes> {
    output.to_bytes().map(shareable).map_err(|error| {
        TaskError::fatal(format!("the result of `{}` can't be encoded: {error}", P::NAME))
            .stored_as(FailureKind::Result)
    })
}

/// A result that may be shared without an allocation, since it lies in the same room as those that came on this thread before
/// it, if it is small. All in a room are settled at about the same time, so none keeps it for long.
fn shareable(result: Vec<u8>) -> Bytes {
    const SMALL: usize = 256;
    const ROOM: usize = 4096;
    thread_local! {
        static LEFT: RefCell<BytesMut> = RefCell::default();
    }
    if result.len() > SMALL {
        return result.into();
    }
    LEFT.with_borrow_mut(|left| {
        if left.capacity() < result.len() {
            *left = BytesMut::with_capacity(ROOM);
        }
        left.extend_from_slice(&result);
        left.split().freeze()
    })
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use task_core::{Failure, Name};

    use super::*;
    use crate::TaskRegistry;

    #[test]
    fn results_in_one_room_are_each_what_they_were() {
        let made: Vec<Vec<u8>> = (0..200).map(|n: u8| vec![n; usize::from(n) * 2]).collect();
        let shared: Vec<Bytes> = made.iter().cloned().map(shareable).collect();
        assert_eq!(shared, made);
        let beside = shared.windows(2).filter(|two| two[0].as_ptr_range().end == two[1].as_ptr()).count();
        assert!(beside > 100, "of the small ones, {beside} lie behind another");
    }

    #[derive(Serialize, Deserialize, task_core::TaskParams)]
    struct Ping {
        n: u8,
    }

    #[tokio::test]
    async fn params_that_do_not_decode_are_an_error_of_their_own_kind() {
        let registry = TaskRegistry::new().register_fn(|_: Ping, _| async { Ok(()) });
        let ping = registry.get(&Name::from_static("ping").unwrap()).unwrap();
        let params = task_core::encode("no ping").unwrap();
        let error = ping.run(TaskContext::with_params(params)).await.unwrap_err();
        assert_eq!(Failure::from(&error).kind, FailureKind::Params);
        assert_eq!(error.kind(), task_core::ErrorKind::Retry { after: None });
    }

    #[derive(Serialize, Deserialize, task_core::TaskParams)]
    #[task(output = Map)]
    struct MakeMap;

    /// Refuses to be encoded, as some types do for some values.
    #[derive(Deserialize)]
    struct Map;
    impl Serialize for Map {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it has a key that is no text"))
        }
    }

    #[tokio::test]
    async fn a_result_that_does_not_encode_fails_the_task_and_is_not_tried_again() {
        let registry = TaskRegistry::new().register_fn(|_: MakeMap, _| async { Ok(Map) });
        let make = registry.get(&Name::from_static("make_map").unwrap()).unwrap();
        let params = task_core::encode(&MakeMap).unwrap();
        let error = make.run(TaskContext::with_params(params)).await.unwrap_err();
        assert_eq!(Failure::from(&error).kind, FailureKind::Result);
        assert_eq!(error.kind(), task_core::ErrorKind::Fatal);
        assert!(error.to_string().starts_with("the result of `make_map` can't be encoded: "), "{error}");
        assert!(error.to_string().ends_with("it has a key that is no text"), "{error}");
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
            let ctx = TaskContext::with_params(task_core::encode(&Ping { n }).unwrap());
            let ended = ping.run(ctx.clone()).await;
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
