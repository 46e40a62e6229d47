//! Cancels, and what a queue is told.

use task_core::{CancelAnswer, Command, ControlAnswer, Name, QueueError, TaskId};

use crate::{
    ids::{id_of, stored_id},
    queue::RedisQueue,
    record, script,
};

/// How many tasks one step of a purge cancels.
const STEP: u64 = 200;

pub(crate) async fn cancel(
    redis: &RedisQueue,
    queue: &Name,
    id: &TaskId,
) -> Result<CancelAnswer, QueueError> {
    let mut call = redis.call(queue);
    call.arg(stored_id(id));
    let mut reply = redis.run(&script::CANCEL, &call, queue).await?;
    redis.time(&mut reply)?;
    match reply.text()?.as_str() {
        "none" => Ok(CancelAnswer::NotFound),
        "asked" => Ok(CancelAnswer::Requested),
        "cancelled" => Ok(CancelAnswer::Cancelled),
        _ => Ok(CancelAnswer::AlreadyFinal(record::read(queue, reply.value())?.identity().0)),
    }
}

pub(crate) async fn control(
    redis: &RedisQueue,
    queue: &Name,
    command: Command,
) -> Result<ControlAnswer, QueueError> {
    let purges = command == Command::Purge;
    let mut call = redis.call(queue);
    match command {
        Command::Pause => call.arg("pause"),
        Command::Resume => call.arg("resume"),
        Command::Replay(id) => call.arg("replay").arg(stored_id(&id)),
        Command::Delete(id) => call.arg("delete").arg(stored_id(&id)),
        Command::Purge => call.arg("purge").number(STEP),
        Command::Limit(limit) => call.arg("limit").arg(limit.map(|n| n.to_string()).unwrap_or_default()),
        Command::Tell(worker, command) => {
            let command =
                rmp_serde::to_vec(&command).map_err(|error| QueueError::invalid(error.to_string()))?;
            call.arg("tell").arg(worker.to_string()).arg(command)
        }
        _ => {
            return Err(QueueError::Unsupported { what: "such command", remedy: "upgrade task-queue-redis" });
        }
    };
    let mut done = 0;
    loop {
        let mut reply = redis.run(&script::CONTROL, &call, queue).await?;
        redis.time(&mut reply)?;
        match reply.text()?.as_str() {
            "done" => {
                done += reply.number()?;
                if !(purges && reply.flag()?) {
                    return Ok(ControlAnswer::Done(done));
                }
            }
            "status" => {
                let (status, _) = record::read(queue, reply.value())?.identity();
                return Ok(ControlAnswer::WrongStatus(status));
            }
            "duplicate" => {
                return Ok(ControlAnswer::DuplicateOf(id_of(&reply.text()?)?));
            }
            "dropped" => return Ok(ControlAnswer::ParamsDropped),
            _ => return Ok(ControlAnswer::NotFound),
        }
    }
}

impl RedisQueue {
    /// A named queue keeps at most so many results of COMPLETED tasks, and drops those that would go first before their
    /// time; `None`: 1,000,000. It holds for all clients until it is changed.
    ///
    /// # Errors
    /// As each call of a [`Queue`](task_core::Queue); it may be sent again.
    pub async fn keep_completed(&self, queue: &Name, results: Option<u64>) -> Result<(), QueueError> {
        self.set_cap(queue, "cap", results).await
    }

    /// A named queue keeps the params of at most so many FAILED and CANCELLED tasks; an older one keeps its status, but
    /// can't be replayed. `None`: 100,000. It holds for all clients until it is changed.
    ///
    /// # Errors
    /// As each call of a [`Queue`](task_core::Queue); it may be sent again.
    pub async fn keep_replayable(&self, queue: &Name, tasks: Option<u64>) -> Result<(), QueueError> {
        self.set_cap(queue, "capP", tasks).await
    }

    async fn set_cap(&self, queue: &Name, cap: &str, most: Option<u64>) -> Result<(), QueueError> {
        let mut call = self.call(queue);
        call.arg(cap).arg(most.map(|most| most.to_string()).unwrap_or_default());
        self.run(&script::CONTROL, &call, queue).await.map(drop)
    }
}
