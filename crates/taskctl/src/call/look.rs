//! Commands that only look.

use task_core::{
    Filter, Lookup, Name, Queue as _, QueueError, Reason, ResultMessage, TaskId, TaskQueue, TaskStatus,
};

use crate::{
    answer::{Answer, Slots},
    connect::{Lost, patiently},
};

const PATIENCE: std::time::Duration = TaskQueue::DEADLINE;

async fn look(
    queue: &TaskQueue,
    name: &Name,
    id: &TaskId,
    found: fn(Box<ResultMessage>) -> Answer,
) -> Result<Answer, QueueError> {
    let lookup = patiently(PATIENCE, Lost::IsSentAgain, || queue.result(name, id)).await?;
    Ok(match lookup {
        Lookup::Found(record) => found(record),
        other => Answer::NoTask { id: id.clone(), queue: name.clone(), expired: other == Lookup::Expired },
    })
}

pub(super) async fn result(queue: &TaskQueue, name: &Name, id: &TaskId) -> Result<Answer, QueueError> {
    look(queue, name, id, Answer::Result).await
}

pub(super) async fn status(queue: &TaskQueue, name: &Name, id: &TaskId) -> Result<Answer, QueueError> {
    look(queue, name, id, Answer::Status).await
}

pub(super) async fn explain(queue: &TaskQueue, name: &Name, id: &TaskId) -> Result<Answer, QueueError> {
    let explain = patiently(PATIENCE, Lost::IsSentAgain, || queue.explain(name, id));
    // where there is no explanation, its status says whether the task was there at all
    let Some(explanation) = explain.await? else { return status(queue, name, id).await };
    let waits_for_a_slot = explanation.record.status == TaskStatus::Pending
        && explanation.reasons.iter().all(|reason| matches!(reason, Reason::Behind { .. }));
    let slots = if waits_for_a_slot {
        match patiently(PATIENCE, Lost::IsSentAgain, || queue.stats(name)).await {
            Ok(stats) => Some(Slots::of(&stats, &explanation.record.task)),
            Err(QueueError::Unsupported { .. }) => None,
            Err(error) => return Err(error),
        }
    } else {
        None
    };
    Ok(Answer::Explained { explanation: Box::new(explanation), slots })
}

pub(super) async fn list(
    queue: &TaskQueue,
    name: &Name,
    status: Option<TaskStatus>,
    task: Option<Name>,
    limit: usize,
) -> Result<Answer, QueueError> {
    // one beyond the limit says whether there is more: a cursor may lead to nothing
    let mut filter = Filter::new(limit + 1);
    (filter.status, filter.name) = (status, task);
    let mut tasks: Vec<ResultMessage> = Vec::new();
    loop {
        let page = patiently(PATIENCE, Lost::IsSentAgain, || queue.list(name, filter.clone())).await?;
        tasks.extend(page.tasks);
        filter.cursor = page.next;
        if tasks.len() > limit || filter.cursor.is_none() {
            let more = tasks.len() > limit;
            tasks.truncate(limit);
            return Ok(Answer::Tasks { tasks, more });
        }
    }
}

pub(super) async fn stats(queue: &TaskQueue, name: &Name) -> Result<Answer, QueueError> {
    let stats = patiently(PATIENCE, Lost::IsSentAgain, || queue.stats(name)).await?;
    let backend = patiently(PATIENCE, Lost::IsSentAgain, || queue.info()).await?;
    Ok(Answer::Stats { stats: Box::new(stats), backend: Box::new(backend) })
}

pub(super) async fn workers(queue: &TaskQueue, name: &Name) -> Result<Answer, QueueError> {
    let stats = patiently(PATIENCE, Lost::IsSentAgain, || queue.stats(name)).await?;
    Ok(Answer::Workers { stats: Box::new(stats) })
}

pub(super) async fn queues(queue: &TaskQueue) -> Result<Answer, QueueError> {
    let names = patiently(PATIENCE, Lost::IsSentAgain, || queue.queues()).await?;
    let mut queues = Vec::with_capacity(names.len());
    for name in names {
        let stats = match patiently(PATIENCE, Lost::IsSentAgain, || queue.stats(&name)).await {
            Ok(stats) => Some(stats),
            Err(QueueError::Unsupported { .. }) => None,
            Err(error) => return Err(error),
        };
        queues.push((name, stats));
    }
    Ok(Answer::Queues(queues))
}
