//! What keeps a task.

use task_core::{Explanation, Lookup, Name, QueueError, Reason, TaskId, TaskStatus};

use crate::{ids::stored_id, queue::RedisQueue, record, script, wait::look, wire::Value};

pub(crate) async fn explain(
    redis: &RedisQueue,
    queue: &Name,
    id: &TaskId,
) -> Result<Option<Explanation>, QueueError> {
    let Lookup::Found(known) = look(redis, queue, id).await? else { return Ok(None) };
    let mut call = redis.call(queue);
    call.arg(stored_id(id)).arg(known.task.as_str());
    let mut reply = redis.run(&script::EXPLAIN, &call, queue).await?;
    let now = redis.time(&mut reply)?;
    let view = reply.value();
    if view == Value::Nil {
        return Ok(None);
    }
    let Lookup::Found(record) = record::read(queue, view)?.lookup(now) else { return Ok(None) };
    let paused = reply.flag()?;
    let (workers, knowing, before) = (reply.number()?, reply.number()?, reply.number()?);
    let suspect = reply.flag()?;
    if record.status.is_final() || record.status == TaskStatus::Running {
        return Ok(Some(Explanation::from_record(*record)));
    }
    let due = record.due_at.filter(|due| *due > now);
    let mut reasons = Vec::new();
    reasons.extend(paused.then_some(Reason::Paused));
    if workers == 0 {
        reasons.push(Reason::NoWorkers);
    } else if knowing < workers {
        reasons.push(Reason::NameKnownBy { knowing, workers });
    }
    reasons.extend(due.map(|due| Reason::DueIn { millis: due.since(now).as_millis() as u64 }));
    reasons.extend(suspect.then_some(Reason::Suspect { crashes: record.crashes }));
    reasons.extend((before > 0).then_some(Reason::Behind { tasks: before }));
    Ok(Some(Explanation::new(*record, reasons)))
}
