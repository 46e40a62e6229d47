//! Group commit: enqueues that are awaited at the same time travel together.
//!
//! While nothing is on the wire, an enqueue is sent at once. While a batch is on the wire, those that come gather in
//! the next one, which leaves when the first is answered. There is no task in the background: a batch is a shared
//! future, which each of its waiters drives and which drives the one before it. So it goes on when the waiter that
//! began it is dropped, and a batch that all have left is not sent, unless it was on its way already.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt as _, future::BoxFuture, future::Shared};

use crate::{Batch, EnqueueReply, Name, QueueError, TaskMessage};

/// How a batch is sent.
pub(super) type Send =
    Arc<dyn Fn(Batch) -> BoxFuture<'static, Result<EnqueueReply, QueueError>> + std::marker::Send + Sync>;

/// The answers to a batch, shared by all that wait for it.
type Answer = Arc<Result<EnqueueReply, QueueError>>;
type Sending = Shared<BoxFuture<'static, Answer>>;
type Messages = Arc<Mutex<Option<Vec<TaskMessage>>>>;

/// The batch, by named queue, that the next message joins.
#[derive(Default)]
pub(super) struct Gather(Mutex<HashMap<Name, Open>>);

struct Open {
    /// `None` once it has left.
    messages: Messages,
    bytes: usize,
    sending: Sending,
}

/// A batch leaves with at most so many bytes of params, so that no call holds up the server.
pub(super) const MAX_BYTES: usize = 1 << 20;

impl Gather {
    /// Sends a message with those that others send now; the answer is its own.
    pub(super) async fn enqueue(
        &self,
        message: TaskMessage,
        send: &Send,
    ) -> Result<EnqueueReply, QueueError> {
        let (sending, place) = self.join(message, send);
        match &*sending.await {
            Ok(reply) => {
                let answer = reply.answers.get(place).cloned();
                let missing =
                    || QueueError::Corrupt(format!("the backend gave no answer to message {place}"));
                Ok(EnqueueReply::new(vec![answer.ok_or_else(missing)?], reply.durability.clone()))
            }
            Err(error) => Err(error.shared()),
        }
    }

    fn join(&self, message: TaskMessage, send: &Send) -> (Sending, usize) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = message.params.len() + 200;
        let queue = message.queue.clone();
        let mut before = None;
        if let Some(batch) = open.get_mut(&queue) {
            let mut messages = batch.messages.lock().unwrap_or_else(PoisonError::into_inner);
            match messages.as_mut() {
                // two of one id go one after the other, so that the second one hears of the first
                Some(gathered)
                    if gathered.len() < Batch::MAX
                        && batch.bytes + size <= MAX_BYTES
                        && !gathered.iter().any(|other| other.id == message.id) =>
                {
                    gathered.push(message);
                    batch.bytes += size;
                    return (batch.sending.clone(), gathered.len() - 1);
                }
                _ => before = (batch.sending.peek().is_none()).then(|| batch.sending.clone()),
            }
        }
        // queues that were used once are not remembered for ever
        if open.len() >= 64 {
            open.retain(|_, batch| batch.sending.peek().is_none());
        }
        let messages: Messages = Arc::new(Mutex::new(Some(vec![message])));
        let (gathered, send, name) = (messages.clone(), send.clone(), queue.clone());
        let sending = async move {
            if let Some(before) = before {
                before.await;
            }
            let leaving = mem::take(&mut *gathered.lock().unwrap_or_else(PoisonError::into_inner));
            Arc::new(send(Batch::new(name, leaving.unwrap_or_default())).await)
        };
        let sending = sending.boxed().shared();
        open.insert(queue, Open { messages, bytes: size, sending: sending.clone() });
        (sending, 0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{Durability, Enqueued, TaskId, TaskOptions};

    fn message() -> TaskMessage {
        TaskMessage::new(TaskId::new(), "a", vec![0xc0], TaskOptions::default()).unwrap()
    }

    /// Counts batches, and answers one a permit.
    fn counted(permits: &Arc<Semaphore>, sent: &Arc<Mutex<Vec<usize>>>) -> Send {
        let (permits, sent) = (permits.clone(), sent.clone());
        Arc::new(move |batch: Batch| {
            let (permits, sent) = (permits.clone(), sent.clone());
            async move {
                sent.lock().unwrap().push(batch.messages.len());
                permits.acquire().await.unwrap().forget();
                Ok(EnqueueReply::new(vec![Enqueued::Queued; batch.messages.len()], Durability::Process))
            }
            .boxed()
        })
    }

    #[tokio::test]
    async fn what_comes_while_a_batch_is_on_the_wire_gathers_in_the_next() {
        let (permits, sent) = (Arc::new(Semaphore::new(0)), Arc::default());
        let (gather, send) = (Gather::default(), counted(&permits, &sent));
        let all = join_all((0..100).map(|_| gather.enqueue(message(), &send)));
        let (answers, ()) = tokio::join!(all, async { permits.add_permits(2) });
        assert!(answers.into_iter().all(|a| a.unwrap().answers == [Enqueued::Queued]));
        assert_eq!(*sent.lock().unwrap(), [1, 99]);
    }

    #[tokio::test]
    async fn a_batch_goes_on_when_the_one_that_began_it_is_dropped() {
        let (permits, sent) = (Arc::new(Semaphore::new(0)), Arc::default());
        let (gather, send) = (Gather::default(), counted(&permits, &sent));
        let mut first = Box::pin(gather.enqueue(message(), &send));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(gather.enqueue(message(), &send));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        permits.add_permits(2);
        assert_eq!(second.await.unwrap().answers, [Enqueued::Queued]);
        assert_eq!(sent.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn an_error_reaches_each_that_waits_and_not_the_next_batch() {
        let failures = Arc::new(AtomicUsize::new(0));
        let send: Send = Arc::new(move |batch: Batch| {
            let first = failures.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                tokio::task::yield_now().await;
                if first {
                    return Err(QueueError::invalid("no"));
                }
                Ok(EnqueueReply::new(vec![Enqueued::Queued; batch.messages.len()], Durability::Process))
            }
            .boxed()
        });
        let gather = Gather::default();
        let answers = join_all((0..3).map(|_| gather.enqueue(message(), &send))).await;
        let ok: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        assert_eq!(ok, [false, true, true]);
    }

    #[tokio::test]
    async fn two_of_one_id_never_share_a_batch() {
        let (permits, sent) = (Arc::new(Semaphore::new(9)), Arc::default());
        let (gather, send) = (Gather::default(), counted(&permits, &sent));
        let twice = message();
        join_all((0..3).map(|_| gather.enqueue(twice.clone(), &send))).await;
        assert_eq!(*sent.lock().unwrap(), [1, 1, 1]);
    }
}
