//! A worker for tests of real processes, on a memory queue of its own. What it is to do comes as lines on stdin, and what
//! happens goes out as lines on stdout.

use std::{
    env,
    io::BufRead as _,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use task_queue_memory::MemoryQueue;
use task_worker::{
    command::TaskFile,
    core::{
        BackendInfo, Batch, Claim, Claimed, EnqueueReply, Heartbeat, HeartbeatReply, Incarnation, Lookup,
        Name, Queue, QueueError, SettleReply, SettleRequest, TaskId,
    },
    prelude::*,
};
use tokio::sync::{Notify, mpsc};

/// Ends when it is told to.
#[derive(Serialize, Deserialize, TaskParams)]
struct Hold {}

#[derive(Serialize, Deserialize, TaskParams)]
struct Quick {}

/// Blocks the only thread of the runtime.
#[derive(Serialize, Deserialize, TaskParams)]
struct Block {
    milliseconds: u64,
}

fn registry(finish: Arc<Notify>) -> TaskRegistry {
    let registry = TaskRegistry::new()
        .register_fn(move |_: Hold, _| async move {
            println!("hold starts");
            finish.notified().await;
            Ok(())
        })
        .register_fn(|_: Quick, _| async {
            println!("quick runs");
            Ok(())
        })
        .register_fn(|block: Block, _| async move {
            println!("block starts");
            thread::sleep(Duration::from_millis(block.milliseconds));
            println!("block ends");
            Ok(())
        });
    match env::var("TEST_TASKS_FILE") {
        Ok(file) => TaskFile::load(Path::new(&file)).unwrap().register(registry),
        Err(_) => registry,
    }
}

/// A queue that may be away, for the worker.
struct Away {
    memory: MemoryQueue,
    is_away: Arc<AtomicBool>,
}

impl Away {
    fn there(&self) -> Result<&MemoryQueue, QueueError> {
        let is_away = self.is_away.load(Ordering::SeqCst);
        if is_away { Err(QueueError::unreachable("it is away")) } else { Ok(&self.memory) }
    }
}

impl Queue for Away {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        self.there()?.enqueue(batch).await
    }
    async fn dequeue(&self, claim: Claim) -> Result<Claimed, QueueError> {
        self.there()?.dequeue(claim).await
    }
    async fn settle(&self, request: SettleRequest) -> Result<SettleReply, QueueError> {
        self.there()?.settle(request).await
    }
    async fn heartbeat(&self, beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        self.there()?.heartbeat(beat).await
    }
    async fn release(&self, queue: &Name, worker: Incarnation) -> Result<u64, QueueError> {
        self.there()?.release(queue, worker).await
    }
    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        self.there()?.result(queue, id).await
    }
    async fn info(&self) -> Result<BackendInfo, QueueError> {
        self.there()?.info().await
    }
}

/// Does what a line says, on the queue itself.
async fn obey(line: &str, memory: &MemoryQueue) {
    let queue = TaskQueue::new(memory.clone());
    let mut words = line.split(' ');
    match (words.next().unwrap_or_default(), words.next()) {
        ("workers", Some(queue)) => {
            for worker in memory.stats(&queue.parse().unwrap()).await.unwrap().workers {
                println!("worker {} {} {}", worker.label, worker.incarnation, worker.concurrency);
            }
            println!("no more workers");
        }
        ("hold", Some(id)) => drop(queue.enqueue(Hold {}).id(id.parse().unwrap()).await.unwrap()),
        ("quick", Some(id)) => drop(queue.enqueue(Quick {}).id(id.parse().unwrap()).await.unwrap()),
        ("block", Some(time)) => {
            let milliseconds = time.parse().unwrap();
            drop(queue.enqueue(Block { milliseconds }).await.unwrap());
        }
        (task, Some(id)) => {
            let named = queue.enqueue_named::<()>(task.to_owned(), &());
            drop(named.id(id.parse().unwrap()).await.unwrap());
        }
        other => panic!("what is {other:?}?"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let (memory, finish) = (MemoryQueue::new(), Arc::new(Notify::new()));
    let is_away = Arc::new(AtomicBool::new(env::var_os("TEST_AWAY").is_some()));
    let queue = TaskQueue::new(Away { memory: memory.clone(), is_away: is_away.clone() });
    let worker = match TaskWorker::from_env(queue, registry(finish.clone())) {
        Ok(worker) => worker,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let (sender, mut lines) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let over = memory.clone();
    tokio::spawn(async move {
        while let Some(line) = lines.recv().await {
            match line.as_str() {
                "back" => is_away.store(false, Ordering::SeqCst),
                "finish" => finish.notify_one(),
                line => obey(line, &over).await,
            }
        }
    });
    worker.run().await.unwrap();
    // how the task `a` stands, after the worker
    let id: TaskId = "a".parse().unwrap();
    if let Some(record) = memory.result(&Name::DEFAULT_QUEUE, &id).await.unwrap().into_found() {
        println!("a {} releases {} crashes {}", record.status, record.releases, record.crashes);
    }
    ExitCode::SUCCESS
}
