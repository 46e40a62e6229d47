//! Orchestrator and worker in one, as users build it; but its tasks do what tasks should not, and files in its folder make
//! its start go wrong.

use std::{fs, path::Path, process::ExitCode, time::Duration};

use anyhow::bail;
use nix::sys::resource::{Resource, setrlimit};
use serde_json::Value;
use task_worker::prelude::*;

const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[task]
async fn echo(value: Value) -> TaskResult<Value> {
    Ok(value)
}

/// Says who runs it, and ends once the file is there.
#[task]
async fn wait_for(file: String, ctx: TaskContext) -> TaskResult {
    say_hello(&ctx)?;
    while !Path::new(&file).exists() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// The same, but it keeps its thread meanwhile, as code does that should have been registered as blocking.
#[task]
async fn block_until(file: String, ctx: TaskContext) -> TaskResult {
    say_hello(&ctx)?;
    while !Path::new(&file).exists() {
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Fails until the file is there.
#[task]
async fn fail_without(file: String, ctx: TaskContext) -> TaskResult {
    say_hello(&ctx)?;
    if Path::new(&file).exists() {
        return Ok(());
    }
    Err(TaskError::retry_after(Duration::from_secs(1), format!("there is no {file}")))
}

#[task]
async fn abort() {
    std::process::abort();
}

/// Takes address space until there is none left, which ends the process.
#[task]
async fn eat_memory() -> TaskResult {
    let mut eaten: Vec<Vec<u8>> = Vec::new();
    loop {
        eaten.push(Vec::with_capacity(64 << 20));
        std::hint::black_box(&eaten);
    }
}

/// Leaves the number of its process in a file of its own for each attempt.
fn say_hello(ctx: &TaskContext) -> TaskResult {
    let file = format!("{}.{}", ctx.id(), ctx.attempt());
    fs::write(&file, format!("{}\n", std::process::id()))?;
    Ok(())
}

async fn tasks() -> anyhow::Result<TaskRegistry> {
    if Path::new("hang").exists() {
        std::future::pending::<()>().await;
    }
    if Path::new("broken").exists() {
        bail!("the database says no");
    }
    if let Ok(bytes) = fs::read_to_string("address-space") {
        let bytes = bytes.trim().parse()?;
        setrlimit(Resource::RLIMIT_AS, bytes, bytes)?;
    }
    Ok(TaskRegistry::new()
        .register(Echo::task())
        .register(WaitFor::task())
        .register(BlockUntil::task())
        .register(FailWithout::task())
        .register(Abort::task())
        .register(EatMemory::task()))
}

fn main() -> ExitCode {
    task_orchestrator::run(tasks)
}
