use std::collections::HashMap;

use task_core::{Name, Queue as _, TaskId, TaskMessage, TaskQueue};

/// What a batch still waits for, in words.
#[derive(Default)]
pub(super) struct Outlook(HashMap<TaskId, Name>);

impl Outlook {
    pub(super) fn sent(&mut self, message: &TaskMessage) {
        self.0.insert(message.id.clone(), message.queue.clone());
    }

    pub(super) fn ended(&mut self, id: &TaskId) {
        self.0.remove(id);
    }

    /// How many, and of one of them, why; nothing, if there is nothing to say.
    pub(super) async fn words(&self, queue: &TaskQueue, waiting: usize) -> Option<String> {
        let (id, name) = self.0.iter().next()?;
        let why = match queue.explain(name, id).await {
            Ok(Some(explanation)) => explanation.to_string(),
            Ok(None) => return None,
            Err(error) => error.to_string(),
        };
        Some(format!("waiting for {waiting} of the tasks; of {id}: {why}"))
    }
}
