//! What the tests kill, and give little room: `file-queue-load FOLDER` enqueues tasks and runs them without end, and says on
//! stdout what was acknowledged: `enqueued ID`, `completed ID`, or `refused WHY`.

use std::{sync::Arc, time::Duration};

use example_custom_backend::FileQueue;
use task_core::{
    Batch, Claim, Enqueued, Incarnation, Name, Outcome, Queue, QueueError, Registration, SettleAnswer,
    SettleRequest, Settlement, TaskId, TaskMessage, TaskOptions,
};
use tokio::task::JoinSet;

const QUEUE: Name = Name::DEFAULT_QUEUE;
/// Now and then the journal is written anew.
const LEAST: u64 = 256 << 10;

#[tokio::main]
async fn main() -> Result<(), task_core::BoxError> {
    let folder = std::env::args_os().nth(1).ok_or("say in which folder")?;
    let queue = FileQueue::open_with(folder, LEAST).await?;
    let mut all = JoinSet::new();
    for _ in 0..4 {
        all.spawn(enqueue(queue.clone()));
        all.spawn(work(queue.clone()));
    }
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    Ok(())
}

async fn enqueue(queue: FileQueue) -> Result<(), QueueError> {
    loop {
        let message = TaskMessage::new(TaskId::new(), "double", vec![0xc0; 64], TaskOptions::default())?;
        let id = message.id.clone();
        match Queue::enqueue(&queue, Batch::new(QUEUE, vec![message])).await {
            Ok(reply) if reply.answers == [Enqueued::Queued] => println!("enqueued {id}"),
            Ok(reply) => println!("refused {:?}", reply.answers),
            Err(error) => refused(&error).await,
        }
    }
}

/// Completes two of three tasks, and holds one of them for ever.
async fn work(queue: FileQueue) -> Result<(), QueueError> {
    let registration = Arc::new(Registration::new("w", ["double".parse()?]));
    let worker = Incarnation::new();
    let mut number = 1;
    loop {
        let mut claim = Claim::new(QUEUE, worker, registration.clone(), number);
        (claim.max_tasks, claim.wait) = (3, Duration::from_secs(1));
        let mut tasks = match queue.dequeue(claim).await {
            Ok(claimed) => claimed.tasks,
            Err(error) => {
                refused(&error).await;
                continue; // the same claim again
            }
        };
        number += 1;
        tasks.truncate(2);
        for task in tasks {
            let end = Settlement::new(task.clone(), Outcome::Completed { result: vec![0xc3].into() });
            loop {
                match queue.settle(SettleRequest::new(QUEUE, vec![end.clone()])).await {
                    Ok(reply) if reply.answers == [SettleAnswer::Done] => println!("completed {}", task.id()),
                    Ok(reply) => println!("refused {:?}", reply.answers),
                    Err(error) => {
                        refused(&error).await;
                        continue;
                    }
                }
                break;
            }
        }
    }
}

async fn refused(error: &QueueError) {
    println!("refused {error}");
    tokio::time::sleep(Duration::from_millis(20)).await;
}
