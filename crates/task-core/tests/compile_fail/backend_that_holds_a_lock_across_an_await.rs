use task_core::*;

struct My {
    state: std::sync::Mutex<u32>,
}

async fn other() {}

impl Queue for My {
    async fn enqueue(&self, _: Batch) -> Result<EnqueueReply, QueueError> {
        let state = self.state.lock().unwrap();
        other().await;
        drop(state);
        unreachable!()
    }
    async fn dequeue(&self, _: Claim) -> Result<Claimed, QueueError> {
        Ok(Claimed::default())
    }
    async fn settle(&self, _: SettleRequest) -> Result<SettleReply, QueueError> {
        Ok(SettleReply::new(vec![]))
    }
    async fn heartbeat(&self, _: Heartbeat) -> Result<HeartbeatReply, QueueError> {
        Ok(HeartbeatReply::default())
    }
    async fn release(&self, _: &Name, _: Incarnation) -> Result<u64, QueueError> {
        Ok(0)
    }
    async fn result(&self, _: &Name, _: &TaskId) -> Result<Lookup, QueueError> {
        Ok(Lookup::NotFound)
    }
    async fn info(&self) -> Result<BackendInfo, QueueError> {
        unreachable!()
    }
}

fn main() {}
