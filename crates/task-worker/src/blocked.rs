use std::{sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};

use crate::board::Board;

/// The pause between two looks.
const LOOK: Duration = Duration::from_secs(3);
/// A runtime that does not get to the smallest of tasks for so long is blocked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Says when tasks keep every thread of the runtime: then nothing else goes on in this worker, though it lives, beats, and
/// keeps its tasks. Runs without end, on another runtime.
pub(crate) async fn watch(runtime: Handle, board: Arc<Board>) {
    loop {
        sleep(LOOK).await;
        let since = Instant::now();
        let mut answer = runtime.spawn(async {});
        if timeout(PATIENCE, &mut answer).await.is_ok() {
            continue;
        }
        let tasks = board.shown();
        tracing::warn!(
            %tasks,
            "a task blocks the thread that it runs on, and no thread is left: register it by register_blocking; nothing \
             else goes on here until it ends"
        );
        let _ = answer.await;
        tracing::warn!(blocked = %task_core::format_duration(since.elapsed()), "a thread is free again");
    }
}
