use std::{sync::Arc, time::Duration};

use task_core::{
    Batch, CancelAnswer, Capability, Command, ControlAnswer, Enqueued, Filter, Incarnation, Lookup, Name,
    Queue as _, QueueError, QueueStats, ResultMessage, TaskId, TaskMessage, TaskOptions, TaskStatus,
    WorkerCommand,
};

use crate::{Harness, sim::Sim};

/// The message of a task called `work`.
pub(crate) fn task(id: &str, options: TaskOptions) -> TaskMessage {
    named("work", id, options)
}

pub(crate) fn named(name: &str, id: &str, options: TaskOptions) -> TaskMessage {
    let params = task_core::encode(id).expect("a text is encoded");
    TaskMessage::new(self::id(id), name.to_owned(), params, options).expect("an allowed message")
}

pub(crate) fn id(text: &str) -> TaskId {
    text.parse().expect("an id")
}

pub(crate) fn options() -> TaskOptions {
    TaskOptions::default()
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Longer than a lease, with no call that is late enough to be an outage.
pub(crate) const LEASE_OVER: Duration = secs(13);

/// A wait that is much longer than what a push takes, and less than half of it.
pub(crate) const LONG: Duration = secs(10);
pub(crate) const SOON: Duration = secs(4);

pub(crate) const QUEUE: Name = Name::DEFAULT_QUEUE;

/// What the tests do with a backend, in a word each; all of it in the queue `tasks`.
pub(crate) trait Stage: Harness {
    fn sim(&self, label: &str) -> Sim<'_, Self::Queue> {
        Sim::new(self.queue(), label)
    }

    /// Enqueues messages, and answers what became of each.
    async fn send(&self, messages: Vec<TaskMessage>) -> Vec<Enqueued> {
        let sent = messages.len();
        let reply = self.queue().enqueue(Batch::new(QUEUE, messages)).await.expect("an enqueue is answered");
        assert_eq!(reply.answers.len(), sent, "there is one answer for each message");
        reply.answers
    }

    /// Enqueues a task that must be taken in.
    async fn put(&self, id: &str, options: TaskOptions) {
        assert_eq!(self.send(vec![task(id, options)]).await, [Enqueued::Queued], "task {id}");
    }

    async fn lookup(&self, id: &str) -> Lookup {
        self.queue().result(&QUEUE, &self::id(id)).await.expect("a lookup is answered")
    }

    async fn record(&self, id: &str) -> ResultMessage {
        match self.lookup(id).await {
            Lookup::Found(record) => *record,
            other => panic!("task {id} has a record, and not {other:?}"),
        }
    }

    async fn status(&self, id: &str) -> TaskStatus {
        self.record(id).await.status
    }

    async fn control(&self, command: Command) -> ControlAnswer {
        self.queue().control(&QUEUE, command).await.expect("a command is answered")
    }

    async fn cancel(&self, id: &str) -> CancelAnswer {
        self.queue().cancel(&QUEUE, &self::id(id)).await.expect("a cancel is answered")
    }

    /// Enqueues a task, the only one there is, and lets two workers die under it.
    async fn suspect(&self, id: &str) {
        self.put(id, options()).await;
        for _ in 0..2 {
            let mut victim = self.sim("victim");
            assert_eq!(ids(&victim.claim(9).await), [id]);
            victim.release().await;
        }
    }

    async fn stats(&self) -> QueueStats {
        self.queue().stats(&QUEUE).await.expect("statistics are answered")
    }

    /// A call that does the backend's housekeeping, by a worker that nobody needs.
    async fn housekeeping(&self) {
        Sim::knowing(self.queue(), "housekeeper", &[]).claim(0).await;
    }

    /// Whether the backend does not claim this; if so, it must say so wherever it is asked for.
    async fn lacks(&self, capability: Capability) -> bool {
        let info = self.queue().info().await.expect("info is answered");
        if info.capabilities.has(capability) {
            return false;
        }
        if let Some(refused) = self.probe(capability).await {
            let what = capability.as_str();
            assert!(
                matches!(refused, Err(QueueError::Unsupported { .. })),
                "a backend that does not claim {what} answers Unsupported, and not {refused:?}"
            );
        }
        true
    }

    /// Asks for what a backend may not have; `None` where a lack shows in no answer.
    async fn probe(&self, capability: Capability) -> Option<Result<String, QueueError>> {
        use Capability as C;
        let queue = self.queue();
        let enqueue = |options| async {
            let batch = Batch::new(QUEUE, vec![task("probe", options)]);
            Some(queue.enqueue(batch).await.map(|reply| format!("{reply:?}")))
        };
        let control = |command| async {
            Some(queue.control(&QUEUE, command).await.map(|answer| format!("{answer:?}")))
        };
        let probe = id("probe");
        match capability {
            C::Priorities => enqueue(options().priority(80)).await,
            C::Delays => enqueue(options().delay(secs(5))).await,
            C::Expiry => enqueue(options().expires(secs(5))).await,
            C::UniqueKeys => enqueue(options().unique("probe")).await,
            C::Retention => enqueue(options().retention(secs(5))).await,
            C::Cancel => Some(queue.cancel(&QUEUE, &probe).await.map(|answer| format!("{answer:?}"))),
            C::Pause => control(Command::Pause).await,
            C::Replay => control(Command::Replay(probe)).await,
            C::Delete => control(Command::Delete(probe)).await,
            C::Purge => control(Command::Purge).await,
            C::Limit => control(Command::Limit(Some(1))).await,
            C::WorkerCommands => control(Command::Tell(Incarnation::new(), WorkerCommand::Pause)).await,
            C::Stats => Some(queue.stats(&QUEUE).await.map(|stats| format!("{stats:?}"))),
            C::List => Some(queue.list(&QUEUE, Filter::new(1)).await.map(|page| format!("{page:?}"))),
            C::Messages => Some(queue.message(&QUEUE, &probe).await.map(|found| format!("{found:?}"))),
            C::Queues => Some(queue.queues().await.map(|names| format!("{names:?}"))),
            _ => None,
        }
    }
}

impl<H: Harness> Stage for H {}

/// The texts of ids, for comparisons.
pub(crate) fn ids<'a>(deliveries: impl IntoIterator<Item = &'a Arc<task_core::Delivery>>) -> Vec<String> {
    deliveries.into_iter().map(|delivery| delivery.id().to_string()).collect()
}
