use std::sync::Arc;

use task_worker::{
    core::{CancelAnswer, QueueError, TaskId},
    prelude::*,
};

use crate::{
    Books, Statement,
    tasks::{CloseBooks, Remind, SendInvoice},
};

/// What the rest of the app calls. It enqueues tasks, and does not wait for them.
#[derive(Clone, Debug)]
pub struct Billing {
    queue: TaskQueue,
    books: Arc<Books>,
}

impl Billing {
    /// Billing over these books, with its tasks in this queue.
    pub fn new(queue: TaskQueue, books: Arc<Books>) -> Self {
        Self { queue, books }
    }

    /// Enters an invoice and sends it, once, however often this is called with it: its number makes the task's id.
    ///
    /// # Errors
    /// If the queue did not take it, as [`QueueError::Conflict`] if nothing but the number is the same.
    pub async fn bill(&self, number: u32, to: &str, cents: u64) -> Result<TaskHandle<()>, QueueError> {
        self.books.enter(number, to, cents);
        let invoice = SendInvoice { number, to: to.to_owned(), cents };
        self.queue.enqueue(invoice).id(format!("invoice-{number}").parse()?).await
    }

    /// The money came in: nobody is reminded any more.
    ///
    /// # Errors
    /// If the queue could not be told.
    pub async fn paid(&self, number: u32) -> Result<CancelAnswer, QueueError> {
        self.books.pay(number);
        self.reminder(number)?.cancel().await
    }

    /// The reminder of an invoice, which is there once the invoice was sent.
    ///
    /// # Errors
    /// None, in fact: each number makes an id.
    pub fn reminder(&self, number: u32) -> Result<TaskHandle<()>, QueueError> {
        Ok(self.queue.handle::<Remind>(reminder_of(number)?))
    }

    /// Closes the books when all before it is done, as it has the lowest priority.
    ///
    /// # Errors
    /// If the queue did not take it.
    pub async fn close(&self) -> Result<TaskHandle<Statement>, QueueError> {
        self.queue.enqueue(CloseBooks {}).priority(0).await
    }
}

/// A reminder's id follows from the invoice, so that a payment finds it.
pub(crate) fn reminder_of(number: u32) -> Result<TaskId, QueueError> {
    Ok(format!("reminder-{number}").parse()?)
}
