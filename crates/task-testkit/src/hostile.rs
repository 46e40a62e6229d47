use std::{
    collections::VecDeque,
    future::{Future, pending},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use task_core::{
    BackendInfo, Batch, CancelAnswer, Claim, Claimed, Command, ControlAnswer, EnqueueReply, Explanation,
    Filter, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Page, Queue, QueueError, QueueStats,
    SettleReply, SettleRequest, TaskId, TaskMessage,
};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing.
    None,
    /// It fails before it has any effect.
    Fail,
    /// It is never answered, and has no effect.
    Hang,
    /// It has its effect, and its answer is lost.
    LoseReply,
    /// It is delivered twice, and the second answer arrives.
    Twice,
}

/// A backend with a bad network before it: each call of any method meets the next mishap of its plan, and when the
/// plan is over, none.
pub struct Hostile<Q> {
    inner: Q,
    plan: Mutex<VecDeque<Mishap>>,
}

impl<Q: Queue> Hostile<Q> {
    /// A wrapper with which nothing goes wrong yet.
    pub fn new(inner: Q) -> Self {
        Self { inner, plan: Mutex::default() }
    }

    /// What goes wrong with the calls to come, in their order.
    #[must_use]
    pub fn plan(self, mishaps: impl IntoIterator<Item = Mishap>) -> Self {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).extend(mishaps);
        self
    }

    async fn meet<T, F>(&self, call: impl Fn() -> F) -> Result<T, QueueError>
    where
        F: Future<Output = Result<T, QueueError>>,
    {
        let next = self.plan.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match next.unwrap_or(Mishap::None) {
            Mishap::None => call().await,
            Mishap::Fail => Err(QueueError::unreachable("a planned failure before the call")),
            Mishap::Hang => pending().await,
            Mishap::LoseReply => {
                call().await?;
                Err(QueueError::answer_lost("a planned loss of the answer"))
            }
            Mishap::Twice => {
                call().await?;
                call().await
            }
        }
    }
}

macro_rules! meet_on_the_way {
    ($($method:ident($($arg:ident: $ty:ty),*) -> $answer:ty;)*) => {
        impl<Q: Queue> Queue for Hostile<Q> {
            $(async fn $method(&self, $($arg: $ty),*) -> Result<$answer, QueueError> {
                self.meet(|| self.inner.$method($(Clone::clone(&$arg)),*)).await
            })*
        }
    };
}

meet_on_the_way! {
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
