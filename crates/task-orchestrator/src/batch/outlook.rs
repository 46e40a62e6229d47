use std::collections::HashMap;

use task_core::{Name, Queue as _, TaskId, TaskMessage, TaskQueue};

/// What a batch still waits for, in words.
#[derive(Default)]
pub(super) struct Outlook {
    sent: HashMap<TaskId, Name>,
    /// How many lines the queue has not taken, and why.
    refused: Option<(usize, String)>,
}

impl Outlook {
    pub(super) fn sent(&mut self, message: &TaskMessage) {
        self.sent.insert(message.id.clone(), message.queue.clone());
    }

    pub(super) fn ended(&mut self, id: &TaskId) {
        self.sent.remove(id);
    }

    /// So many lines are to be sent again, for this reason; said once, when it begins.
    pub(super) fn refused(&mut self, lines: usize, why: Option<String>) {
        let before = self.refused.take();
        self.refused = why.map(|why| (lines, why));
        if let (None, Some((lines, why))) = (before, &self.refused) {
            tracing::warn!(lines, %why, "not enqueued yet; sent again until they are");
        }
    }

    /// How many, and of one of them, why; nothing, if there is nothing to say.
    pub(super) async fn words(&self, queue: &TaskQueue, waiting: usize) -> Option<String> {
        let mut words = Vec::new();
        if let Some((id, name)) = self.sent.iter().next() {
            let why = match queue.explain(name, id).await {
                Ok(Some(explanation)) => explanation.to_string(),
                Ok(None) => "the queue does not know it".into(),
                Err(error) => error.to_string(),
            };
            words.push(format!("waiting for {waiting} of the tasks; of {id}: {why}"));
        }
        if let Some((lines, why)) = &self.refused {
            words.push(format!("{lines} lines are not enqueued yet: {why}"));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}
