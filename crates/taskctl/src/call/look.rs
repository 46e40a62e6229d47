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
    match patiently(PATIENCE, Lost::IsSentAgain, || queue.result(name, id)).await? {
        Lookup::Found(record) => Ok(found(record)),
        other => no_task(queue, name, id, other == Lookup::Expired).await,
    }
}

/// There is none of this id, as far as this named queue goes; whoever looks may have forgotten to name the other.
pub(super) async fn no_task(
    queue: &TaskQueue,
    name: &Name,
    id: &TaskId,
    expired: bool,
) -> Result<Answer, QueueError> {
    let elsewhere = if expired { None } else { elsewhere(queue, name, id).await? };
    Ok(Answer::NoTask { id: id.clone(), queue: name.clone(), expired, elsewhere })
}

async fn elsewhere(queue: &TaskQueue, name: &Name, id: &TaskId) -> Result<Option<Name>, QueueError> {
    /// One may have made very many named queues.
    const MOST: usize = 100;
    for other in used(queue).await?.into_iter().filter(|other| other != name).take(MOST) {
        if let Lookup::Found(_) = patiently(PATIENCE, Lost::IsSentAgain, || queue.result(&other, id)).await? {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

/// The named queues in which something was enqueued; none where the backend does not know them.
pub(super) async fn used(queue: &TaskQueue) -> Result<Vec<Name>, QueueError> {
    match patiently(PATIENCE, Lost::IsSentAgain, || queue.queues()).await {
        Err(QueueError::Unsupported { .. }) => Ok(Vec::new()),
        names => names,
    }
}

pub(super) async fn result(queue: &TaskQueue, name: &Name, id: &TaskId) -> Result<Answer, QueueError> {
    look(queue, name, id, Answer::Result).await
}

pub(super) async fn status(queue: &TaskQueue, name: &Name, id: &TaskId) -> Result<Answer, QueueError> {
    look(queue, name, id, Answer::Status).await
}

pub(super) async fn explain(queue: &TaskQueue, name: &Name, id: &TaskId) -> Result<Answer, QueueError> {
    // first, since it also sweeps: a task that has expired is not to be told as one that waits
    let stats = match patiently(PATIENCE, Lost::IsSentAgain, || queue.stats(name)).await {
        Err(QueueError::Unsupported { .. }) => None,
        stats => Some(stats?),
    };
    let explain = patiently(PATIENCE, Lost::IsSentAgain, || queue.explain(name, id));
    // where there is no explanation, its status says whether the task was there at all
    let Some(explanation) = explain.await? else { return status(queue, name, id).await };
    let waits_for_a_slot = explanation.record.status == TaskStatus::Pending
        && explanation.reasons.iter().all(|reason| matches!(reason, Reason::Behind { .. }));
    let slots = stats.filter(|_| waits_for_a_slot).map(|stats| Slots::of(&stats, &explanation.record.task));
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
