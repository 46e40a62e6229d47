//! Each Rust block of README.md, of the crates' README.md and of docs/ is a doctest here: it must compile, and run where it can.

#[cfg(doctest)]
macro_rules! pages {
    ($($name:ident: $path:literal;)*) => {$(
        #[doc = include_str!($path)]
        pub mod $name {}
    )*};
}

#[cfg(doctest)]
pages! {
    readme: "../../../README.md";
    task: "../../../docs/task.md";
    worker: "../../../docs/worker.md";
    queue: "../../../docs/queue.md";
    task_core: "../../../crates/task-core/README.md";
    task_macros: "../../../crates/task-macros/README.md";
    task_monitor: "../../../crates/task-monitor/README.md";
    task_orchestrator: "../../../crates/task-orchestrator/README.md";
    task_queue_memory: "../../../crates/task-queue-memory/README.md";
    task_queue_redis: "../../../crates/task-queue-redis/README.md";
    task_testkit: "../../../crates/task-testkit/README.md";
    task_worker: "../../../crates/task-worker/README.md";
}
