//! Measures the task framework on any of its queues, and checks at the end of each run that every task ran exactly once
//! and that its result is right. docs/performance.md says what the figures mean.

mod check;
mod cli;
mod delay;
mod disk;
mod fleet;
mod machine;
mod percentiles;
mod private;
mod procfs;
mod report;
mod runs;
mod server;
mod stage;
mod task;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    cli::{Aof, Cli, Run},
    report::Report,
    stage::Stage,
};

fn main() -> ExitCode {
    // what the orchestrator reads, its command line among it, is not this program's
    fleet::be_orchestrated().unwrap_or_else(measure)
}

#[tokio::main]
async fn measure() -> ExitCode {
    let cli = Cli::parse();
    if let Run::Goals(goals) = &cli.run {
        return match runs::goals::run(goals).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("task-bench: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    match run(&cli).await {
        Ok(report) => {
            report.print(cli.json);
            if report.is_exact() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("task-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(cli: &Cli) -> anyhow::Result<Report> {
    if let Run::Worker(worker) = &cli.run {
        fleet::be_a_worker(&cli.queue, worker).await?;
        std::process::exit(0);
    }
    let stage = Stage::open(cli).await?;
    let mut report = Report::new(cli.run.name(), &stage);
    match &cli.run {
        Run::Drain(run) => runs::drain::run(&stage, run, &mut report).await?,
        Run::Enqueue(run) => runs::enqueue::run(&stage, run, &mut report).await?,
        Run::Latency(run) => runs::latency::run(&stage, run, &mut report).await?,
        Run::OpenLoop(run) => runs::open_loop::run(&stage, run, &mut report).await?,
        Run::Delayed(run) => runs::delayed::run(&stage, run, &mut report).await?,
        Run::Soak(run) => runs::soak::run(&stage, run, &mut report).await?,
        Run::Idle(run) => runs::idle::run(&stage, run, &mut report).await?,
        Run::Limit(run) => runs::limit::run(&stage, run, &mut report).await?,
        Run::Bound(run) => runs::bound::run(&stage, run, &mut report).await?,
        Run::Held(run) => runs::held::run(&stage, run, &mut report).await?,
        Run::Goals(_) | Run::Worker(_) => unreachable!("they are done with above"),
    }
    if let (Some(Aof::Everysec | Aof::Always), Some(server)) = (cli.private_redis, &stage.server) {
        report.set("fsyncs_per_s", server.fsyncs_per_s().await?);
    }
    Ok(report)
}
