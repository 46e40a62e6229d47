//! [`Queue`] made dyn-compatible, once, for [`TaskQueue`]. A public `#[async_trait]` trait would give a user who
//! forgets the macro seven errors in 78 lines; this way a backend is plain `async fn`s.

use std::{sync::Arc, time::Duration};

use crate::{
    BackendInfo, Batch, CancelAnswer, Claim, Claimed, Command, ControlAnswer, EnqueueReply, Explanation,
    Filter, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Page, Queue, QueueError, QueueStats,
    SettleReply, SettleRequest, TaskId, TaskMessage, TaskQueue,
};

macro_rules! erase {
    ($($method:ident($($arg:ident: $ty:ty),*) -> $answer:ty;)*) => {
        #[async_trait::async_trait]
        pub(crate) trait DynQueue: Send + Sync {
            $(async fn $method(&self, $($arg: $ty),*) -> Result<$answer, QueueError>;)*
            async fn detached(&self) -> Result<Option<Arc<dyn DynQueue>>, QueueError>;
        }

        #[async_trait::async_trait]
        impl<Q: Queue> DynQueue for Q {
            $(async fn $method(&self, $($arg: $ty),*) -> Result<$answer, QueueError> {
                Queue::$method(self, $($arg),*).await
            })*
            async fn detached(&self) -> Result<Option<Arc<dyn DynQueue>>, QueueError> {
                Ok(Queue::detached(self).await?.map(|queue| Arc::new(queue) as Arc<dyn DynQueue>))
            }
        }

        /// A wrapper round any [`Queue`] can thereby wrap a backend that was chosen at run time. The methods are the
        /// backend's own: nothing is sent again by itself, and nothing is gathered.
        // A `TaskQueue` is no help to who forgot to implement the trait, and the macro's text less so.
        #[diagnostic::do_not_recommend]
        impl Queue for TaskQueue {
            $(async fn $method(&self, $($arg: $ty),*) -> Result<$answer, QueueError> {
                self.backend().$method($($arg),*).await
            })*
            async fn detached(&self) -> Result<Option<Self>, QueueError> {
                Ok(self.backend().detached().await?.map(|backend| self.over(backend)))
            }
        }
    };
}

erase! {
    enqueue(batch: Batch) -> EnqueueReply;
    dequeue(claim: Claim) -> Claimed;
    settle(request: SettleRequest) -> SettleReply;
    heartbeat(beat: Heartbeat) -> HeartbeatReply;
    release(queue: &Name, worker: Incarnation) -> u64;
    result(queue: &Name, id: &TaskId) -> Lookup;
    info() -> BackendInfo;
    wait(queue: &Name, id: &TaskId, timeout: Duration) -> Lookup;
    cancel(queue: &Name, id: &TaskId) -> CancelAnswer;
    control(queue: &Name, command: Command) -> ControlAnswer;
    stats(queue: &Name) -> QueueStats;
    list(queue: &Name, filter: Filter) -> Page;
    explain(queue: &Name, id: &TaskId) -> Option<Explanation>;
    queues() -> Vec<Name>;
    message(queue: &Name, id: &TaskId) -> Option<TaskMessage>;
}
