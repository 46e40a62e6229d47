//! What calls on names of queues leave behind.

use std::{sync::Arc, time::Duration};

use task_core::{
    Batch, Claim, Command, ControlAnswer, Incarnation, Name, Queue, Registration, SettleRequest,
    WorkerCommand,
};
use task_queue_memory::MemoryQueue;

fn name(n: usize) -> Name {
    format!("q{n}").parse().unwrap()
}

#[tokio::test]
async fn calls_that_find_nothing_make_no_queue() {
    // each name that anybody asked for became a queue for good
    let (queue, somebody) = (MemoryQueue::new(), Incarnation::new());
    queue.enqueue(Batch::new(name(0), Vec::new())).await.unwrap();
    queue.settle(SettleRequest::new(name(1), Vec::new())).await.unwrap();
    let told = Command::Tell(somebody, WorkerCommand::Pause);
    let id = || "a".parse().unwrap();
    let nobody = [Command::Replay(id()), Command::Delete(id()), told];
    for (n, command) in nobody.into_iter().enumerate() {
        assert_eq!(queue.control(&name(n), command).await.unwrap(), ControlAnswer::NotFound);
    }
    for command in [Command::Resume, Command::Purge] {
        assert_eq!(queue.control(&name(4), command).await.unwrap(), ControlAnswer::Done(0));
    }
    assert!(queue.queues().await.unwrap().is_empty());
}

#[tokio::test]
async fn queues_that_never_had_a_task_are_forgotten_and_those_that_were_paused_are_not() {
    // a worker that was told another name at each start left a queue behind for each
    let (queue, registration) = (MemoryQueue::new(), Arc::new(Registration::new("w", [])));
    queue.control(&name(0), Command::Pause).await.unwrap();
    for n in 1..200 {
        let worker = Incarnation::new();
        queue.dequeue(Claim::new(name(n), worker, registration.clone(), 1)).await.unwrap();
        queue.release(&name(n), worker).await.unwrap();
    }
    assert_eq!(queue.queues().await.unwrap().len(), 200, "whoever was released is refused for an hour");
    queue.advance(Duration::from_secs(2 * 3600));
    for n in 200..400 {
        queue.release(&name(n), Incarnation::new()).await.unwrap();
    }
    let left = queue.queues().await.unwrap();
    assert!(left.len() <= 1 + 2 * 200 && !left.contains(&name(1)), "{} are left", left.len());
    assert!(left.contains(&name(0)), "what it was told is kept");
}
