//! `#[task]` functions: the forms that they take, and what they become.

use std::{
    path::{Path, PathBuf},
    thread::ThreadId,
};

use serde::{Deserialize, Serialize};
use task_worker::core::{RetryPolicy, TaskOptions, decode, encode};
use task_worker::prelude::*;

/// Runs a task as a worker would, apart from the queue.
async fn run<T: Task>(task: T, params: T::Params) -> TaskResult<<T::Params as TaskParams>::Output> {
    task.run(params, TaskContext::detached()).await
}

#[derive(Clone)]
struct Pool(u64);

fn full() -> u32 {
    100
}

/// Makes an image smaller.
#[task(max_retries = 1, timeout = "5m", backoff = "5s", alias = "shrink")]
async fn resize(
    source: String,
    /// In percent.
    #[serde(default = "full")]
    width: u32,
    #[state] pool: &Pool,
    #[state] own: Pool,
    ctx: TaskContext,
) -> anyhow::Result<u64> {
    ctx.progress(0.5, "reading");
    Ok(source.len() as u64 + u64::from(width) + pool.0 + own.0)
}

#[tokio::test]
async fn arguments_are_params_and_state_and_the_function_stays_callable() {
    let params = Resize { source: "abc".into(), width: 7 };
    assert_eq!(run(Resize::task(Pool(1000), Pool(2000)), params).await.unwrap(), 3010);
    let called = resize("abc".into(), 7, &Pool(1), Pool(2), TaskContext::detached());
    assert_eq!(called.await.unwrap(), 13);
}

#[test]
fn options_of_the_function_are_those_of_its_params() {
    assert_eq!((Resize::NAME, Resize::ALIASES), ("resize", &["shrink"][..]));
    let second = std::time::Duration::from_secs(1);
    let options = TaskOptions::default().max_retries(1).timeout(300 * second);
    assert_eq!(Resize::options(), options.backoff(RetryPolicy::fixed(5 * second)));
}

#[test]
fn attributes_of_an_argument_hold_for_its_field() {
    #[derive(Serialize)]
    struct BeforeThereWasAWidth {
        source: String,
    }
    let sent = encode(&BeforeThereWasAWidth { source: "abc".into() }).unwrap();
    let params: Resize = decode(&sent).unwrap();
    assert_eq!(params.width, 100);
}

#[task]
fn thread_of(#[state] path: &Path, #[state] suffix: &str, #[state] numbers: &[u8]) -> TaskResult<String> {
    Ok(format!("{:?} {}{suffix}{}", std::thread::current().id(), path.display(), numbers.len()))
}

#[tokio::test]
async fn a_function_that_is_not_async_runs_on_another_thread() {
    let task = ThreadOf::task(PathBuf::from("a"), "b".to_owned(), vec![1, 2, 3]);
    let said = run(task, ThreadOf {}).await.unwrap();
    assert!(said.ends_with(" ab3"), "{said}");
    let here: ThreadId = std::thread::current().id();
    assert!(!said.starts_with(&format!("{here:?}")), "{said}");
}

#[tokio::test]
async fn any_result_that_a_question_mark_takes_is_returned() {
    #[task]
    async fn nothing() {}
    #[task]
    fn nothing_blocking() {}
    #[task]
    async fn io(path: PathBuf) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }
    #[task]
    async fn text(n: u8) -> Result<u8, String> {
        if n == 0 { Err("zero".into()) } else { Ok(n) }
    }
    #[task]
    async fn boxed() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("boxed".into())
    }
    #[task]
    async fn fatal() -> TaskResult {
        Err(TaskError::fatal("fatal"))
    }

    run(Nothing::task(), Nothing {}).await.unwrap();
    run(NothingBlocking::task(), NothingBlocking {}).await.unwrap();
    assert!(run(Io::task(), Io { path: "/no such file".into() }).await.is_err());
    assert_eq!(run(Text::task(), Text { n: 3 }).await.unwrap(), 3);
    assert_eq!(run(Text::task(), Text { n: 0 }).await.unwrap_err().to_string(), "zero");
    assert_eq!(run(Boxed::task(), Boxed {}).await.unwrap_err().to_string(), "boxed");
    let error = run(Fatal::task(), Fatal {}).await.unwrap_err();
    assert_eq!(error.kind(), task_worker::core::ErrorKind::Fatal);
}

#[tokio::test]
async fn no_name_of_an_argument_or_a_function_is_taken() {
    #[task]
    async fn ctx(
        params: u8,
        state: u8,
        ctx: u8,
        r#type: u8,
        mut task: u8,
        context: &TaskContext,
    ) -> TaskResult<u8> {
        task += context.attempt() as u8;
        Ok(params + state + ctx + r#type + task)
    }
    let params = Ctx { params: 1, state: 2, ctx: 4, r#type: 8, task: 16 };
    assert_eq!(run(Ctx::task(), params).await.unwrap(), 32);
}

#[test]
fn derives_and_serde_attributes_below_the_attribute_are_for_the_params() {
    #[task(name = "mail/send")]
    #[derive(Clone, Debug, PartialEq)]
    #[serde(rename_all = "camelCase")]
    async fn send_mail(send_to: String) {
        drop(send_to);
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Seen {
        send_to: String,
    }
    let params = SendMail { send_to: "a@b".into() };
    assert_eq!(params.clone(), params);
    let seen: Seen = decode(&encode(&params).unwrap()).unwrap();
    assert_eq!(seen.send_to, "a@b");
    let registry = TaskRegistry::new().register(SendMail::task());
    assert!(registry.names().eq(["mail/send"]), "{registry:?}");
}

mod elsewhere {
    #[task_worker::task(crate = "task_worker")]
    pub(super) async fn as_visible_as_its_function(n: u8) -> Result<u8, String> {
        Ok(n)
    }

    // By its path the attribute may even stand above the derive.
    #[task_worker::task(name = "above")]
    #[derive(serde::Serialize, serde::Deserialize, task_worker::core::TaskParams)]
    pub(super) struct Below {}
}

#[tokio::test]
async fn params_are_as_visible_as_the_function_and_need_no_import() {
    use elsewhere::{AsVisibleAsItsFunction, Below};
    assert_eq!(run(AsVisibleAsItsFunction::task(), AsVisibleAsItsFunction { n: 5 }).await.unwrap(), 5);
    assert_eq!(Below::NAME, "above");
}

#[test]
fn tasks_of_functions_are_registered_under_their_names() {
    let registry = TaskRegistry::new().register(Resize::task(Pool(1), Pool(2))).register(ThreadOf::task(
        "a".into(),
        "b".into(),
        Vec::new(),
    ));
    assert_eq!(
        registry.names().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["resize", "shrink", "thread_of"]
    );
}
