//! The whole suite on the plain model: the suite is checked by it, and it by the suite.

use std::time::Duration;

use task_testkit::{Harness, ModelQueue};

struct Model(ModelQueue);

impl Harness for Model {
    type Queue = ModelQueue;

    async fn open() -> Self {
        Self(ModelQueue::new())
    }

    fn queue(&self) -> &ModelQueue {
        &self.0
    }

    async fn advance(&self, by: Duration) {
        self.0.advance(by);
    }

    async fn outage(&self, by: Duration) {
        self.0.outage(by);
    }

    async fn capped(completed: usize, replayable: usize) -> Option<Self> {
        Some(Self(ModelQueue::capped(completed, replayable)))
    }
}

task_testkit::conformance!(Model);
task_testkit::random_operations!(Model);
