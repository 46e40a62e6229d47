//! The shop's program: `embedded [OUTBOX]`. So that it is over in seconds, it tries again and reminds after one or two.

use std::{sync::Arc, time::Duration};

use example_embedded::{Billing, Books, Outbox, tasks};
use task_queue_memory::MemoryQueue;
use task_worker::prelude::*;
use tokio::sync::oneshot;

const PATIENCE: Duration = Duration::from_secs(30);
const SOON: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| "outbox".into());
    let there = std::path::Path::new(&folder).exists();
    anyhow::ensure!(!there, "{} is there already; name a folder that is not", folder.display());
    let outbox = Outbox { retry: SOON, remind: 2 * SOON, ..Outbox::new(folder) };
    let books = Arc::new(Books::default());

    // producer and worker are one process, and share a queue in it
    let queue = TaskQueue::new(MemoryQueue::new());
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = TaskWorker::new(queue.clone(), tasks::registry(&books, &outbox));
    let worker = tokio::spawn(worker.run_until(async { drop(stopped.await) }));
    let billing = Billing::new(queue, books);

    let ann = billing.bill(7001, "ann@example.org", 11_900).await?;
    // "finished" answers after its time how the task stands; it can't be sent yet
    let mut record = ann.finished(TICK).await?;
    while record.errors.is_empty() {
        record = ann.finished(TICK).await?;
    }
    println!("7001 is tried again: {}", record.errors[0].failure.message);

    tokio::fs::create_dir(&outbox.folder).await?;
    println!("7001 is {}", ann.finished(PATIENCE).await?.status);
    println!("7001 is paid, its reminder: {:?}", billing.paid(7001).await?);

    billing.bill(7002, "bob@example.org", 5_950).await?.result(PATIENCE).await?;
    billing.reminder(7002)?.result(PATIENCE).await?;
    println!("7002 was sent, and a reminder of it");

    let statement = billing.close().await?.result(PATIENCE).await?;
    println!("{} invoices, {} cents, {} of them open", statement.invoices, statement.total, statement.open);

    drop(stop); // the worker finishes what it runs, and ends
    worker.await??;
    Ok(())
}
