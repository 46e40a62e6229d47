//! Orchestrator and worker in one, as users build it, whose tasks note each of their runs in the file `ledger` of the
//! folder that it is started in. What a task returns is the number of the claim that it ran under.

use std::{
    path::Path,
    process::ExitCode,
    sync::OnceLock,
    time::{Duration, Instant},
};

use chaos::{Event, Ledger, Line};
use task_queue_redis::RedisQueue;
use task_worker::prelude::*;

/// Notes what happened.
fn note(ctx: &TaskContext, event: Event) -> TaskResult {
    static LEDGER: OnceLock<Ledger> = OnceLock::new();
    let ledger = match LEDGER.get() {
        Some(ledger) => ledger,
        None => LEDGER.get_or_init(|| Ledger::open(Path::new("ledger")).expect("the folder is ours")),
    };
    Ok(ledger.note(&Line::of(ctx.id().to_string(), ctx.attempt(), event))?)
}

/// Notes the run, and answers as it does.
async fn noted<T>(ctx: &TaskContext, run: impl Future<Output = TaskResult<T>>) -> TaskResult<T> {
    note(ctx, Event::Start)?;
    let ended = run.await;
    note(ctx, Event::End)?;
    ended
}

/// Ends at once; `pad` is for messages of any size.
#[task]
async fn quick(pad: String, ctx: TaskContext) -> TaskResult<u32> {
    drop(pad);
    noted(&ctx, async { Ok(ctx.attempt()) }).await
}

/// Fails up to this attempt.
#[task]
async fn flaky(until: u32, ctx: TaskContext) -> TaskResult<u32> {
    noted(&ctx, async { if ctx.attempt() <= until { Err("not yet".into()) } else { Ok(ctx.attempt()) } })
        .await
}

#[task]
async fn fatal(ctx: TaskContext) -> TaskResult<u32> {
    noted(&ctx, async { Err(TaskError::fatal("never")) }).await
}

#[task]
async fn skipped(ctx: TaskContext) -> TaskResult<u32> {
    noted(&ctx, async { Err(TaskError::skip("nothing to do")) }).await
}

#[task]
async fn slow(millis: u64, ctx: TaskContext) -> TaskResult<u32> {
    noted(&ctx, async {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(ctx.attempt())
    })
    .await
}

/// Is followed by so many quick ones.
#[task]
async fn parent(children: u32, ctx: TaskContext) -> TaskResult<u32> {
    noted(&ctx, async {
        for _ in 0..children {
            ctx.enqueue(Quick { pad: String::new() }).await?;
        }
        Ok(ctx.attempt())
    })
    .await
}

/// Keeps a core busy, and a thread of the runtime, as code does that should have been registered as blocking.
#[task]
async fn spin(millis: u64, ctx: TaskContext) -> TaskResult<u32> {
    noted(&ctx, async {
        let end = Instant::now() + Duration::from_millis(millis);
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        Ok(ctx.attempt())
    })
    .await
}

async fn tasks() -> TaskRegistry {
    TaskRegistry::new()
        .register(Quick::task())
        .register(Flaky::task())
        .register(Fatal::task())
        .register(Skipped::task())
        .register(Slow::task())
        .register(Parent::task())
        .register(Spin::task())
}

/// A worker as a user builds it who wants another lease than the default; in milliseconds, with the time between two
/// heartbeats.
async fn bare(queue: &str, lease: u64, heartbeat: u64) -> Result<(), Box<dyn std::error::Error>> {
    let queue = TaskQueue::new(RedisQueue::connect(queue).await?);
    let worker = TaskWorker::from_env(queue, tasks().await)?;
    let (lease, heartbeat) = (Duration::from_millis(lease), Duration::from_millis(heartbeat));
    Ok(worker.lease(lease).heartbeat_interval(heartbeat).run().await?)
}

/// `chaos-tasks bare QUEUE LEASE HEARTBEAT` is such a worker; else it is orchestrator and worker in one.
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let [_, word, queue, lease, heartbeat] = &words[..] else { return task_orchestrator::run(tasks) };
    if word != "bare" {
        return task_orchestrator::run(tasks);
    }
    let millis = |text: &str| text.parse().expect("milliseconds");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(bare(queue, millis(lease), millis(heartbeat))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
