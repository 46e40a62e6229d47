//! Carries commands out.

mod look;
mod mend;

use std::{io, time::Duration};

use task_core::{Enqueued, Name, Queue as _, QueueError, ResultError, TaskId, TaskMessage, TaskQueue};
use tokio::time::Instant;

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
            return wait(queue, name, id, time, tell).await;
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
        wait(queue, &name, id, time, tell).await?;
    }
    Ok(())
}

/// Tells the result, and until then, ever more rarely, why there is none: a wait that says nothing looks like one that
/// hangs.
async fn wait(
    queue: &TaskQueue,
    name: &Name,
    id: TaskId,
    time: Wait,
    tell: &mut Tell<'_>,
) -> Result<(), Trouble> {
    const LONGEST_SILENCE: Duration = Duration::from_secs(60);
    let mut silence = Duration::from_secs(5);
    let handle = queue.handle_in::<()>(name.clone(), id.clone());
    let end = match time {
        Wait::For(time) => Instant::now().checked_add(time),
        Wait::WithoutEnd => None,
    };
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        let once = left.map_or(silence, |left| left.min(silence));
        let record = match handle.finished(once).await {
            Ok(record) => record,
            Err(ResultError::NotFound { id, .. }) => {
                return Ok(tell(look::no_task(queue, name, &id, false).await?)?);
            }
            Err(ResultError::Expired { id }) => {
                return Ok(tell(look::no_task(queue, name, &id, true).await?)?);
            }
            Err(ResultError::Queue(error)) => return Err(error.into()),
            Err(other) => return Err(QueueError::Corrupt(other.to_string()).into()),
        };
        if record.status.is_final() || left.is_some_and(|left| left <= silence) {
            return Ok(tell(Answer::Result(Box::new(record)))?);
        }
        if let Ok(Some(explanation)) = queue.explain(name, &id).await {
            tell(Answer::Waits(Box::new(explanation)))?;
        }
        silence = (2 * silence).min(LONGEST_SILENCE);
    }
}

#[cfg(test)]
mod tests;
