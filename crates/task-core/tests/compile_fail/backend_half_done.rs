use task_core::*;

struct My;

impl Queue for My {
    async fn enqueue(&self, _: Batch) -> Result<EnqueueReply, QueueError> {
        unreachable!()
    }
}

fn main() {}
