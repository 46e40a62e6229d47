//! Hooks of a task, run by a worker.

use std::time::Duration;

use task_worker::{
    core::{FailureKind, ResultError, TaskStatus},
    prelude::*,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{Number, SOON, memory, with_worker};

/// Where its code hangs, fails or panics is said by the number.
struct Hooked(UnboundedSender<&'static str>);

impl Hooked {
    async fn stage(&self, stage: &'static str, wrong: bool) -> TaskResult {
        let _ = self.0.send(stage);
        if wrong { std::future::pending().await } else { Ok(()) }
    }
}

impl Task for Hooked {
    type Params = Number;
    async fn run(&self, params: Number, _ctx: TaskContext) -> TaskResult<u32> {
        self.stage("run", params.n == 2).await?;
        if params.n == 4 { Err("failed".into()) } else { Ok(params.n) }
    }
    async fn before_run(&self, params: &Number, _ctx: &TaskContext) -> TaskResult {
        self.stage("before_run", params.n == 1).await?;
        if params.n == 5 { Err(TaskError::skip("not today")) } else { Ok(()) }
    }
    async fn on_success(&self, n: &u32, _ctx: &TaskContext) -> TaskResult {
        self.stage("on_success", *n == 3).await?;
        Err("the hook's own".into())
    }
    async fn on_failure(&self, _error: &TaskError, _ctx: &TaskContext) -> TaskResult {
        self.stage("on_failure", false).await?;
        panic!("the hook's own")
    }
}

#[tokio::test]
async fn hooks_run_within_the_attempt_and_its_timeout_and_change_nothing_of_how_it_ends() {
    // n, what ran, the status, the kind of its failure
    let cases: [(u32, &[&str], TaskStatus, Option<FailureKind>); 6] = [
        (0, &["before_run", "run", "on_success"], TaskStatus::Completed, None),
        (1, &["before_run"], TaskStatus::Failed, Some(FailureKind::Timeout)),
        (2, &["before_run", "run"], TaskStatus::Failed, Some(FailureKind::Timeout)),
        (3, &["before_run", "run", "on_success"], TaskStatus::Failed, Some(FailureKind::Timeout)),
        (4, &["before_run", "run", "on_failure"], TaskStatus::Failed, Some(FailureKind::Error)),
        (5, &["before_run", "on_failure"], TaskStatus::Skipped, None),
    ];
    let (queue, (says, mut said)) = (memory(), unbounded_channel());
    with_worker(&queue, TaskRegistry::new().register(Hooked(says)), |worker| worker, async {
        for (n, stages, status, kind) in cases {
            let number = queue.enqueue(Number { n }).max_retries(0).timeout(Duration::from_millis(100));
            let number = number.await.unwrap();
            let ended = number.result(SOON).await;
            let mut ran = Vec::new();
            while let Ok(stage) = said.try_recv() {
                ran.push(stage);
            }
            assert_eq!((ran.as_slice(), number.status().await.unwrap()), (stages, Some(status)), "{n}");
            let failed = match ended {
                Err(ResultError::Failed { failure, .. }) => Some(failure.kind),
                _ => None,
            };
            assert_eq!(failed, kind, "{n}");
        }
    })
    .await;
}
