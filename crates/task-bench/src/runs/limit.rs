use std::time::Instant;

use anyhow::Context as _;
use deadpool_redis::redis::{Cmd, Pipeline, Value, cmd};

use crate::{cli, report::Report, stage::Stage};

/// Tasks a call.
const BATCH: usize = 100;
/// Bytes of a message, and of a result.
const VALUE: usize = 200;

/// HSET message and RPUSH id; LPOP ids and HMGET messages; HSET result and HDEL message, each for a batch, over one
/// connection: nobody could do less. It keeps no promise: what it holds is lost with it.
pub(crate) async fn run(stage: &Stage, run: &cli::Limit, report: &mut Report) -> anyhow::Result<()> {
    let server =
        stage.server.as_ref().context("the limit is a Redis's; name one, or use --private-redis none")?;
    let mut connection = server.connection();
    let [messages, ids, results] =
        ["messages", "ids", "results"].map(|part| format!("{}:{part}", stage.name));
    let value = vec![b'x'; VALUE];
    let id = |n: u64| format!("{n:022}");

    let before = server.used().await?;
    let start = Instant::now();
    let numbers: Vec<u64> = (0..run.tasks).collect();
    for batch in numbers.chunks(BATCH) {
        let (mut stored, mut listed) = (cmd("HSET"), cmd("RPUSH"));
        stored.arg(&messages);
        listed.arg(&ids);
        for n in batch {
            stored.arg(id(*n)).arg(&value);
            listed.arg(id(*n));
        }
        pipeline([stored, listed]).exec_async(&mut connection).await?;
    }
    report.set("enqueue_per_s", run.tasks as f64 / start.elapsed().as_secs_f64());
    let filled = server.used().await?;

    let start = Instant::now();
    let (mut taken, mut done, mut trips): (Vec<Vec<u8>>, u64, u64) = (Vec::new(), 0, 0);
    loop {
        let mut calls = Pipeline::new();
        if !taken.is_empty() {
            let (mut ended, mut forgotten) = (cmd("HSET"), cmd("HDEL"));
            ended.arg(&results);
            forgotten.arg(&messages);
            for id in &taken {
                ended.arg(id).arg(&value);
                forgotten.arg(id);
            }
            calls.add_command(ended).ignore().add_command(forgotten).ignore();
        }
        calls.add_command(cmd("LPOP").arg(&ids).arg(BATCH).to_owned());
        done += taken.len() as u64;
        let (next,): (Option<Vec<Vec<u8>>>,) = calls.query_async(&mut connection).await?;
        trips += 1;
        let Some(next) = next else { break };
        taken = next;
        let mut bodies = cmd("HMGET");
        bodies.arg(&messages).arg(&taken);
        let bodies: Vec<Value> = bodies.query_async(&mut connection).await?;
        trips += 1;
        anyhow::ensure!(bodies.len() == taken.len(), "messages are missing");
    }
    let took = start.elapsed().as_secs_f64();
    let drained = server.used().await?;

    let tasks = run.tasks as f64;
    report.tasks = Some(run.tasks);
    let stored: u64 = cmd("HLEN").arg(&results).query_async(&mut connection).await?;
    report.lost = Some(run.tasks - stored.min(run.tasks));
    report.duplicated = Some(done - stored.min(done));
    report.set("tasks_per_s", tasks / took);
    report.set("redis_cpu_us_per_task", (drained.cpu_us - before.cpu_us) / tasks);
    report.set("redis_cpu_us_per_task_drain", (drained.cpu_us - filled.cpu_us) / tasks);
    report.set("round_trips_per_task", trips as f64 / tasks);
    report.set("bytes_per_pending", (filled.memory as f64 - before.memory as f64) / tasks);
    report.set("bytes_per_finished", (drained.memory as f64 - before.memory as f64) / tasks);
    cmd("UNLINK").arg(&[messages, ids, results]).exec_async(&mut connection).await?;
    Ok(())
}

fn pipeline<const N: usize>(commands: [Cmd; N]) -> Pipeline {
    let mut pipeline = Pipeline::new();
    for command in commands {
        pipeline.add_command(command).ignore();
    }
    pipeline
}
