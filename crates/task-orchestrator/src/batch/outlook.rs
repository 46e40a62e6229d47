use std::collections::HashMap;

use task_core::{Name, Queue as _, TaskId, TaskMessage, TaskQueue};

use super::print::Printer;

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

    /// One line on stderr: how many, and of one of them, why.
    pub(super) async fn say(&self, queue: &TaskQueue, waiting: usize, printer: &Printer) {
        let Some((id, name)) = self.0.iter().next() else { return };
        let why = match queue.explain(name, id).await {
            Ok(Some(explanation)) => explanation.to_string(),
            Ok(None) => return,
            Err(error) => error.to_string(),
        };
        printer.say(&format!("waiting for {waiting} of the tasks; of {id}: {why}"));
    }
}
