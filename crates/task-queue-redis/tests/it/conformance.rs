//! The Redis queue keeps every promise of the queue contract, with no more rights than docs/queue.md says it needs.

use std::time::Duration;

use task_queue_redis::{RedisQueue, task_core::Name};
use task_testkit::Harness;

use crate::{
    access::{least_rule, let_in},
    server::Server,
};

struct Redis {
    queue: RedisQueue,
    _server: Server,
}

impl Harness for Redis {
    type Queue = RedisQueue;
    async fn open() -> Self {
        let server = Server::start(&[]);
        let url = let_in(&server, &least_rule());
        Self { queue: RedisQueue::connect(&url).await.unwrap(), _server: server }
    }
    fn queue(&self) -> &RedisQueue {
        &self.queue
    }
    async fn advance(&self, by: Duration) {
        self.queue.advance_clock(&Name::DEFAULT_QUEUE, by, true).await.unwrap();
    }
    async fn outage(&self, by: Duration) {
        self.queue.advance_clock(&Name::DEFAULT_QUEUE, by, false).await.unwrap();
    }
}

task_testkit::conformance!(Redis);
task_testkit::random_operations!(Redis);
