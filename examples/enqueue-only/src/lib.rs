//! The part of a shop that knows of orders. It enqueues tasks, and knows neither which queue carries them nor who runs them:
//! its program ([shop](../example_enqueue_only_shop/index.html)) chooses the one, and workers are deployed apart.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use task_core::{QueueError, TaskHandle, TaskParams, TaskQueue};

/// Sends the receipt of an order. The worker's crate depends on this one, and implements it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TaskParams)]
#[task(name = "send_receipt", output = Receipt, max_retries = 10, timeout = "30s")]
pub struct SendReceipt {
    /// Which order.
    pub order: String,
    /// To whom.
    pub to: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// By which the mail is known.
    pub message_id: String,
}

/// An order was placed: its receipt is sent in a minute, so that who cancels at once gets none, and once, however often this
/// is called for the order meanwhile.
///
/// # Errors
/// If the queue did not take it.
pub async fn order_placed(
    queue: &TaskQueue,
    order: &str,
    to: &str,
) -> Result<TaskHandle<Receipt>, QueueError> {
    let receipt = SendReceipt { order: order.to_owned(), to: to.to_owned() };
    queue.enqueue(receipt).delay(Duration::from_secs(60)).unique(format!("receipt of {order}")).await
}

#[cfg(test)]
mod tests {
    use task_core::TaskStatus;
    use task_queue_memory::MemoryQueue;

    use super::*;

    #[tokio::test]
    async fn an_order_that_is_told_twice_gets_one_receipt() {
        let queue = TaskQueue::new(MemoryQueue::new());
        let first = order_placed(&queue, "7", "ann@example.org").await.unwrap();
        let second = order_placed(&queue, "7", "ann@example.org").await.unwrap();
        assert_eq!((first.is_new(), second.is_new()), (true, false));
        assert_eq!(first.id(), second.id());
        assert_eq!(first.status().await.unwrap(), Some(TaskStatus::Pending));
    }
}
