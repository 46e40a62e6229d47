//! Tasks as JSON lines.

use futures_util::future::try_join_all;
use task_core::{Filter, Name, Queue as _, QueueError, TaskQueue, TaskStatus};

use crate::{
    answer::{Answer, Refusal},
    call::{Tell, Trouble},
    connect::{Lost, patiently},
};

/// So many messages are asked for at once.
const PAGE: usize = 64;

/// Tells the messages of all tasks in these states. A task that moves on meanwhile may be told twice, which an import
/// does not mind, or be missed, which a paused queue avoids.
pub(crate) async fn export(
    queue: &TaskQueue,
    name: &Name,
    states: &[TaskStatus],
    tell: &mut Tell<'_>,
) -> Result<(), Trouble> {
    let (mut tasks, mut gone) = (0, 0);
    for state in states {
        let mut filter = Filter::new(PAGE);
        filter.status = Some(*state);
        loop {
            let page = patiently(TaskQueue::DEADLINE, Lost::IsSentAgain, || queue.list(name, filter.clone()))
                .await?;
            let messages = page.tasks.iter().map(async |record| {
                match patiently(TaskQueue::DEADLINE, Lost::IsSentAgain, || queue.message(name, &record.id))
                    .await
                {
                    // one that can't be read stops no other
                    Err(QueueError::Corrupt(why)) => Ok(Err(why)),
                    other => other.map(Ok),
                }
            });
            for message in try_join_all(messages).await? {
                match message {
                    Ok(Some(message)) => {
                        tasks += 1;
                        tell(Answer::Message(Box::new(message)))?;
                    }
                    Ok(None) => gone += 1,
                    Err(why) => {
                        tell(Answer::Refused(Refusal { what: "a task".into(), why, wrong_input: false }))?;
                    }
                }
            }
            filter.cursor = page.next;
            if filter.cursor.is_none() {
                break;
            }
        }
    }
    Ok(tell(Answer::Exported { tasks, gone })?)
}
