//! Commands that change what is in a queue.

use task_core::{
    CancelAnswer, Command, ControlAnswer, Filter, Name, Queue as _, QueueError, TaskId, TaskQueue, TaskStatus,
};

use super::{
    Tell, Trouble,
    look::{no_task, used},
};
use crate::{
    answer::{Answer, Deed, Refusal},
    connect::{Lost, patiently},
};

pub(super) async fn cancel(queue: &TaskQueue, name: &Name, id: TaskId) -> Result<Answer, QueueError> {
    let answer = queue.handle_in::<()>(name.clone(), id.clone()).cancel().await?;
    if answer == CancelAnswer::NotFound {
        return no_task(queue, name, &id, false).await;
    }
    Ok(Answer::Cancelled { id, queue: name.clone(), answer })
}

pub(super) async fn control(
    queue: &TaskQueue,
    name: &Name,
    deed: Deed,
    id: Option<TaskId>,
) -> Result<Answer, QueueError> {
    // looked up before, since some backends know a queue from then on
    let unused = id.is_none() && !used(queue).await?.contains(name);
    let answer = send(queue, name, deed, id.as_ref()).await?;
    if let (ControlAnswer::NotFound, Some(id)) = (&answer, &id) {
        return no_task(queue, name, id, false).await;
    }
    Ok(Answer::Controlled { deed, id, queue: name.clone(), answer, unused })
}

async fn send(
    queue: &TaskQueue,
    name: &Name,
    deed: Deed,
    id: Option<&TaskId>,
) -> Result<ControlAnswer, QueueError> {
    let (command, lost) = match (deed, id) {
        (Deed::Pause, _) => (Command::Pause, Lost::IsSentAgain),
        (Deed::Resume, _) => (Command::Resume, Lost::IsSentAgain),
        (Deed::Purge, _) => (Command::Purge, Lost::IsAnError),
        (Deed::Replay, Some(id)) => (Command::Replay(id.clone()), Lost::IsAnError),
        (Deed::Delete, Some(id)) => (Command::Delete(id.clone()), Lost::IsAnError),
        (deed, None) => return Err(QueueError::invalid(format!("{} of which task?", deed.as_str()))),
    };
    patiently(TaskQueue::DEADLINE, lost, || queue.control(name, command.clone())).await
}

/// Replays the tasks that are FAILED now. Their ids are read first: a replayed task leaves the list, and a page would
/// begin too late.
pub(super) async fn replay_all_failed(
    queue: &TaskQueue,
    name: &Name,
    tell: &mut Tell<'_>,
) -> Result<(), Trouble> {
    let mut filter = Filter::new(1000);
    filter.status = Some(TaskStatus::Failed);
    let mut failed: Vec<TaskId> = Vec::new();
    loop {
        let page =
            patiently(TaskQueue::DEADLINE, Lost::IsSentAgain, || queue.list(name, filter.clone())).await?;
        failed.extend(page.tasks.into_iter().map(|record| record.id));
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            break;
        }
    }
    let mut replayed = 0;
    for id in failed {
        let why = match send(queue, name, Deed::Replay, Some(&id)).await? {
            ControlAnswer::Done(_) => {
                replayed += 1;
                continue;
            }
            // somebody else replayed or deleted it meanwhile
            ControlAnswer::WrongStatus(_) | ControlAnswer::NotFound => continue,
            ControlAnswer::DuplicateOf(owner) => format!("task {owner} is live and holds its unique key"),
            ControlAnswer::ParamsDropped => "its params are not kept any more; enqueue it anew".into(),
            other => format!("the queue answered {other:?}"),
        };
        tell(Answer::Refused(Refusal { what: format!("task {id}"), why, wrong_input: false }))?;
    }
    Ok(tell(Answer::ReplayedAll(replayed))?)
}
