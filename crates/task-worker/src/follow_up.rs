//! What a task enqueues through its context: kept until it has succeeded, then sent under ids that follow from its own.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use task_core::{
    BackendInfo, Batch, Capabilities, Claim, Claimed, Delivery, Durability, EnqueueReply, Enqueued,
    Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Queue, QueueError, SettleReply, SettleRequest,
    TaskId, TaskMessage, TaskQueue,
};

/// The follow-ups of one attempt.
pub(crate) struct FollowUps {
    parent: Parent,
    to: Option<TaskQueue>,
    messages: Arc<Mutex<Vec<TaskMessage>>>,
    keeper: OnceLock<TaskQueue>,
}

#[derive(Clone)]
struct Parent {
    id: TaskId,
    queue: Name,
    generation: u32,
    root: TaskId,
    trace: Option<String>,
}

impl FollowUps {
    pub(crate) fn of(delivery: &Delivery, to: Option<TaskQueue>) -> Self {
        let record = &delivery.record;
        let message = delivery.message.as_ref().ok();
        let parent = Parent {
            id: record.id.clone(),
            queue: record.queue.clone(),
            generation: record.generation,
            root: message.and_then(|message| message.root.clone()).unwrap_or_else(|| record.id.clone()),
            trace: message.and_then(|message| message.trace.clone()),
        };
        Self::new(parent, to)
    }

    fn new(parent: Parent, to: Option<TaskQueue>) -> Self {
        Self { parent, to, messages: Arc::default(), keeper: OnceLock::new() }
    }

    /// A queue that keeps what is enqueued on it here.
    pub(crate) fn queue(&self) -> &TaskQueue {
        self.keeper.get_or_init(|| {
            let (parent, to, messages) = (self.parent.clone(), self.to.clone(), self.messages.clone());
            let limit = self.to.as_ref().map_or(TaskQueue::MAX_PAYLOAD, TaskQueue::payload_limit);
            TaskQueue::new(Keeper { parent, to, messages }).max_payload(limit)
        })
    }

    /// The id of follow-up `number`: always the same for one generation of one task.
    pub(crate) fn id(&self, number: u32) -> TaskId {
        let Parent { id, queue, generation, .. } = &self.parent;
        let text = format!("{queue}\n{id}\n{generation}\n{number}"); // no line end is in a name or an id
        uuid::Builder::from_custom_bytes(fnv128(text.as_bytes()).to_be_bytes()).into_uuid().into()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(crate) fn messages(&self) -> Vec<TaskMessage> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// FNV-1a, 128 bits (Fowler, Noll, Vo; <http://www.isthe.com/chongo/tech/comp/fnv/>). Nobody gains by a collision here:
/// the ids are in the hands of those who enqueue.
fn fnv128(bytes: &[u8]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

/// A backend that only keeps what is enqueued; what else is asked of it, through a follow-up's handle, goes to the real
/// queue.
struct Keeper {
    parent: Parent,
    to: Option<TaskQueue>,
    messages: Arc<Mutex<Vec<TaskMessage>>>,
}

impl Keeper {
    fn real(&self) -> Result<&TaskQueue, QueueError> {
        self.to.as_ref().ok_or(QueueError::Unsupported {
            what: "queue behind a detached context",
            remedy: "look at TaskContext::follow_ups in a test",
        })
    }

    fn not_here<T>() -> Result<T, QueueError> {
        Err(QueueError::Unsupported {
            what: "worker's side in a task's context",
            remedy: "use the TaskQueue that the worker was made with",
        })
    }
}

impl Queue for Keeper {
    async fn enqueue(&self, batch: Batch) -> Result<EnqueueReply, QueueError> {
        let answers = vec![Enqueued::Queued; batch.messages.len()];
        let mut kept = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        for mut message in batch.messages {
            message.parent = Some(self.parent.id.clone());
            message.root = Some(self.parent.root.clone());
            message.trace = message.trace.or_else(|| self.parent.trace.clone());
            kept.push(message);
        }
        Ok(EnqueueReply::new(answers, Durability::Process))
    }
    async fn dequeue(&self, _claim: Claim) -> Result<Claimed, QueueError> {
        Self::not_here()
    }
    async fn settle(&self, _request: SettleRequest) -> Result<SettleReply, QueueError> {
        Self::not_here()
    }
    async fn heartbeat(&self, _beat: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        Self::not_here()
    }
    async fn release(&self, _queue: &Name, _worker: Incarnation) -> Result<u64, QueueError> {
        Self::not_here()
    }
    async fn result(&self, queue: &Name, id: &TaskId) -> Result<Lookup, QueueError> {
        Queue::result(self.real()?, queue, id).await
    }
    async fn cancel(&self, queue: &Name, id: &TaskId) -> Result<task_core::CancelAnswer, QueueError> {
        Queue::cancel(self.real()?, queue, id).await
    }
    async fn info(&self) -> Result<BackendInfo, QueueError> {
        Ok(BackendInfo::new("the follow-ups of a task", Capabilities::NONE, Durability::Process))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_follow_ups_repeat_for_a_retry_and_differ_for_anything_else() {
        let of = |id: &str, queue: &str, generation| {
            let id: TaskId = id.parse().unwrap();
            let parent =
                Parent { root: id.clone(), id, queue: queue.parse().unwrap(), generation, trace: None };
            FollowUps::new(parent, None)
        };
        let first = of("order-7", "tasks", 0).id(0);
        assert_eq!(of("order-7", "tasks", 0).id(0), first);
        let others = [
            of("order-7", "tasks", 0).id(1),
            of("order-7", "tasks", 1).id(0),
            of("order-7", "mail", 0).id(0),
            of("order-8", "tasks", 0).id(0),
        ];
        assert!(others.iter().all(|id| *id != first && id.as_uuid().is_some()), "{others:?}");
    }
}
