//! Carries commands out.

mod look;
mod mend;

use std::io;

use task_core::{Enqueued, Name, QueueError, ResultError, TaskHandle, TaskId, TaskMessage, TaskQueue};

use crate::{
    answer::Answer,
    command::{Command, Wait},
    exit::Exit,
    export::export,
    import::import,
};

/// Where answers go, each as soon as it is known.
pub(crate) type Tell<'a> = dyn FnMut(Answer) -> io::Result<()> + 'a;

/// Why a command was broken off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("can't read the input: {0}")]
    Input(io::Error),
    #[error("can't write the output: {0}")]
    Output(#[from] io::Error),
}

impl Trouble {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Queue(error) => Exit::of_error(error),
            Self::Input(_) | Self::Output(_) => Exit::Usage,
        }
    }
}

/// Carries a command out on a named queue, and tells what came of it.
pub(crate) async fn call(
    queue: &TaskQueue,
    name: &Name,
    command: Command,
    tell: &mut Tell<'_>,
) -> Result<(), Trouble> {
    match command {
        Command::Enqueue { message, wait } => return enqueue(queue, *message, wait, tell).await,
        Command::Import(lines) => return import(queue, name, lines, tell).await,
        Command::Export(states) => return export(queue, name, &states, tell).await,
        Command::ReplayAllFailed => return mend::replay_all_failed(queue, name, tell).await,
        Command::Result { id, wait: None } => tell(look::result(queue, name, &id).await?)?,
        Command::Result { id, wait: Some(time) } => {
            tell(wait(&queue.handle_in(name.clone(), id), time).await?)?;
        }
        Command::Status(id) => tell(look::status(queue, name, &id).await?)?,
        Command::Explain(id) => tell(look::explain(queue, name, &id).await?)?,
        Command::List { status, name: task, limit } => {
            tell(look::list(queue, name, status, task, limit).await?)?;
        }
        Command::Stats => tell(look::stats(queue, name).await?)?,
        Command::Workers => tell(look::workers(queue, name).await?)?,
        Command::Queues => tell(look::queues(queue).await?)?,
        Command::Cancel(id) => tell(mend::cancel(queue, name, id).await?)?,
        Command::Control(deed, id) => tell(mend::control(queue, name, deed, id).await?)?,
    }
    Ok(())
}

async fn enqueue(
    queue: &TaskQueue,
    message: TaskMessage,
    asked: Option<Wait>,
    tell: &mut Tell<'_>,
) -> Result<(), Trouble> {
    let (id, name, task) = (message.id.clone(), message.queue.clone(), message.name.clone());
    let answer = queue.enqueue_messages(vec![message]).await?.pop();
    let answer = answer.unwrap_or_else(|| Err(QueueError::Corrupt("the queue gave no answer".into())))?;
    let is_there = matches!(answer, Enqueued::Queued | Enqueued::Exists { same: true, .. });
    let waits = asked.is_some();
    tell(Answer::Enqueued { id: id.clone(), queue: name.clone(), task, answer, waits })?;
    if let Some(time) = asked.filter(|_| is_there) {
        tell(wait(&queue.handle_in(name, id), time).await?)?;
    }
    Ok(())
}

async fn wait(handle: &TaskHandle<()>, time: Wait) -> Result<Answer, Trouble> {
    // without end means hour after hour, since no clock counts that far
    const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
    let missing = |id: TaskId, expired| Answer::NoTask { id, queue: handle.queue().clone(), expired };
    loop {
        let once = if let Wait::For(time) = time { time } else { HOUR };
        return match handle.finished(once).await {
            Ok(record) if !record.status.is_final() && time == Wait::WithoutEnd => continue,
            Ok(record) => Ok(Answer::Result(Box::new(record))),
            Err(ResultError::NotFound { id, .. }) => Ok(missing(id, false)),
            Err(ResultError::Expired { id }) => Ok(missing(id, true)),
            Err(ResultError::Queue(error)) => Err(error.into()),
            Err(other) => Err(QueueError::Corrupt(other.to_string()).into()),
        };
    }
}

#[cfg(test)]
mod tests;
