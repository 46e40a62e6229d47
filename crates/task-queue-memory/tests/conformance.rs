//! The memory queue keeps every promise of the queue contract.

use std::time::Duration;

use task_queue_memory::MemoryQueue;
use task_testkit::Harness;

struct Memory(MemoryQueue);

impl Harness for Memory {
    type Queue = MemoryQueue;
    async fn open() -> Self {
        Self(MemoryQueue::new())
    }
    fn queue(&self) -> &MemoryQueue {
        &self.0
    }
    async fn advance(&self, by: Duration) {
        self.0.advance(by);
    }
    async fn outage(&self, by: Duration) {
        self.0.outage(by);
    }
    async fn capped(completed: usize, replayable: usize) -> Option<Self> {
        Some(Self(MemoryQueue::builder().keep_completed(completed).keep_replayable(replayable).build()))
    }
}

task_testkit::conformance!(Memory);
task_testkit::random_operations!(Memory);
