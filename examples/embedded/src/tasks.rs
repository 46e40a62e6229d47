//! What runs behind the app's back.

use std::sync::Arc;

use task_worker::prelude::*;

use crate::{Books, Outbox, Statement, billing::reminder_of};

/// All tasks with what they need, for a worker.
pub fn registry(books: &Arc<Books>, outbox: &Outbox) -> TaskRegistry {
    TaskRegistry::new()
        .register(SendInvoice::task(outbox.clone()))
        .register(Remind::task(books.clone(), outbox.clone()))
        .register(CloseBooks::task(books.clone()))
}

/// Sends an invoice, and when that is done, plans the reminder.
///
/// # Errors
/// A mail that can't be written is tried again, each hour for two days.
#[task(max_retries = 48, timeout = "30s")]
pub async fn send_invoice(
    number: u32,
    to: String,
    cents: u64,
    #[state] outbox: &Outbox,
    ctx: TaskContext,
) -> TaskResult {
    let text = format!("Invoice {number}: please pay {}.{:02}.", cents / 100, cents % 100);
    let written = outbox.write(&format!("invoice-{number}"), &to, &text).await;
    written.or_retry_after(outbox.retry)?;
    ctx.enqueue(Remind { number }).id(reminder_of(number)?).delay(outbox.remind).await?;
    Ok(())
}

/// Reminds who has not paid. A payment cancels this task; should it come in this very moment, there is nothing to do.
///
/// # Errors
/// As [`send_invoice`].
#[task(max_retries = 48, timeout = "30s")]
pub async fn remind(number: u32, #[state] books: &Arc<Books>, #[state] outbox: &Outbox) -> TaskResult {
    let invoice =
        books.get(number).ok_or_else(|| format!("invoice {number} is not in the books")).or_fatal()?;
    if invoice.paid {
        return Err(TaskError::skip(format!("invoice {number} is paid")));
    }
    let written = outbox.write(&format!("reminder-{number}"), &invoice.to, "It is still open.").await;
    written.or_retry_after(outbox.retry)
}

/// Sums the books up. It computes, so it is no `async fn`, and runs on a thread for such code.
///
/// # Errors
/// None.
#[task]
pub fn close_books(#[state] books: &Arc<Books>) -> TaskResult<Statement> {
    Ok(books.statement())
}

#[cfg(test)]
mod tests {
    //! Tokio's clock is paused: whoever waits for an hour, or a fortnight, waits for nothing.

    use std::time::Duration;

    use task_queue_memory::MemoryQueue;
    use task_testkit::{assert_enqueued, drain, enqueued, run_task};
    use task_worker::core::{CancelAnswer, TaskStatus};
    use tokio::time::Instant;

    use super::*;
    use crate::Billing;

    const FORTNIGHT: Duration = Duration::from_secs(14 * 24 * 3600);

    struct App {
        queue: TaskQueue,
        billing: Billing,
        registry: TaskRegistry,
        folder: tempfile::TempDir,
    }

    /// The app with an outbox that is not there yet.
    fn app() -> App {
        let folder = tempfile::tempdir().unwrap();
        let (books, outbox) = (Arc::new(Books::default()), Outbox::new(folder.path().join("outbox")));
        let queue = TaskQueue::new(MemoryQueue::new());
        let billing = Billing::new(queue.clone(), books.clone());
        App { queue, billing, registry: registry(&books, &outbox), folder }
    }

    impl App {
        fn open_outbox(&self) {
            std::fs::create_dir(self.folder.path().join("outbox")).unwrap();
        }

        fn mails(&self) -> Vec<String> {
            let mails = std::fs::read_dir(self.folder.path().join("outbox")).unwrap();
            let mut mails: Vec<_> =
                mails.map(|mail| mail.unwrap().file_name().into_string().unwrap()).collect();
            mails.sort();
            mails
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_billed_is_in_the_queue_once_however_often_it_is_told() {
        let app = app();
        let first = app.billing.bill(7, "ann@example.org", 11_900).await.unwrap();
        let again = app.billing.bill(7, "ann@example.org", 11_900).await.unwrap();
        assert_eq!((first.is_new(), again.is_new()), (true, false));
        assert_enqueued!(&app.queue, SendInvoice { number: 7, cents: 11_900, .. });
        assert_eq!(enqueued::<SendInvoice>(&app.queue).await.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_invoice_that_can_not_be_sent_is_tried_again_in_an_hour() {
        let (app, start) = (app(), Instant::now());
        let sent = app.billing.bill(7, "ann@example.org", 11_900).await.unwrap();
        let record = run_task(&app.queue, app.registry.clone()).await.unwrap();
        assert_eq!(record.status, TaskStatus::Retry);
        assert!(record.error.unwrap().message.contains("invoice-7.eml"));
        assert!(run_task(&app.queue, app.registry.clone()).await.is_none(), "its time has not come");

        app.open_outbox();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let record = run_task(&app.queue, app.registry.clone()).await.unwrap();
        assert_eq!((record.status, record.attempts), (TaskStatus::Completed, 2));
        assert_eq!(app.mails(), ["invoice-7.eml"]);
        sent.result(Duration::ZERO).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 3600);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_pay_is_reminded_after_a_fortnight() {
        let (app, start) = (app(), Instant::now());
        app.open_outbox();
        app.billing.bill(7, "ann@example.org", 11_900).await.unwrap();
        let drained = drain(&app.queue, app.registry.clone()).await;
        assert_eq!(drained.completed, 2);
        assert_eq!(app.mails(), ["invoice-7.eml", "reminder-7.eml"]);
        assert!((FORTNIGHT..FORTNIGHT + Duration::from_secs(1)).contains(&start.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_pays_is_not_reminded() {
        let app = app();
        app.open_outbox();
        app.billing.bill(7, "ann@example.org", 11_900).await.unwrap();
        run_task(&app.queue, app.registry.clone()).await.unwrap();
        assert_enqueued!(&app.queue, Remind { number: 7 });
        assert_eq!(app.billing.paid(7).await.unwrap(), CancelAnswer::Cancelled);
        drain(&app.queue, app.registry.clone()).await;
        assert_eq!(app.mails(), ["invoice-7.eml"]);
    }

    #[tokio::test]
    async fn a_task_is_a_function_and_what_it_enqueues_can_be_looked_at() {
        let app = app();
        app.open_outbox();
        let (outbox, ctx) = (Outbox::new(app.folder.path().join("outbox")), TaskContext::detached());
        send_invoice(7, "ann@example.org".into(), 11_900, &outbox, ctx.clone()).await.unwrap();
        let reminder = &ctx.follow_ups()[0];
        assert_eq!((reminder.name.as_str(), reminder.id.to_string()), ("remind", "reminder-7".into()));
    }
}
