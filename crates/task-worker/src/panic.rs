//! Panics of a task's code, caught with their message and place.
//!
//! What is caught carries only the message, and that not always; the place is known to the panic hook alone. So a hook,
//! set once and chained to the one before it, notes both on the panicking thread, where the catcher finds them.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::Once,
    task::{Context, Poll},
};

use futures_util::FutureExt as _;
use pin_project_lite::pin_project;
use task_core::{FailureKind, TaskError, TaskResult};

thread_local! {
    /// How many catchers are on this thread's stack: what panics elsewhere is none of our business.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn set_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let former = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if CATCHING.get() > 0 {
                let message = text(info.payload());
                let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
                LAST.set(Some(format!("it panicked{place}: {message}")));
            }
            former(info);
        }));
    });
}

/// What a panic was called with, if that is a text.
pub(crate) fn text(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("a value that is no text")
}

/// Calls a task's code; a panic becomes an error of the attempt.
pub(crate) fn caught<T>(code: impl FnOnce() -> T) -> TaskResult<T> {
    set_hook();
    CATCHING.set(CATCHING.get() + 1);
    // what the code shares with others may be left half done by any error; a task that runs again must cope with that
    let called = panic::catch_unwind(AssertUnwindSafe(code));
    CATCHING.set(CATCHING.get() - 1);
    called.map_err(|_payload| {
        let told = LAST.take().unwrap_or_else(|| "it panicked".into()); // `resume_unwind` passes no hook
        TaskError::retry(told).stored_as(FailureKind::Panic)
    })
}

/// Polls a task's future; a panic becomes an error of the attempt.
pub(crate) fn caught_async<T>(
    future: impl Future<Output = TaskResult<T>>,
) -> impl Future<Output = TaskResult<T>> {
    caught_future(future).map(Result::flatten)
}

/// Polls a future; a panic becomes an error.
pub(crate) fn caught_future<F: Future>(future: F) -> Caught<F> {
    Caught { future: Some(future) }
}

pin_project! {
    /// No `async fn`: such a one keeps what it is given twice, and here that may be all that a task is while it runs.
    pub(crate) struct Caught<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F: Future> Future for Caught<F> {
    type Output = TaskResult<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut future = self.project().future;
        let polled = caught(|| {
            let running = future.as_mut().as_pin_mut().expect("it is polled until it has ended");
            let polled = running.poll(cx);
            if polled.is_ready() {
                // what it leaves behind may panic, too
                future.set(None);
            }
            polled
        });
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(error) => {
                drop(caught(|| future.set(None)));
                Poll::Ready(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use task_core::Failure;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_with_its_message_and_its_place() {
        let line = line!() + 1;
        let ended = caught_async::<()>(async { panic!("no row {}", 7) }).await;
        let failure = Failure::from(&ended.unwrap_err());
        assert_eq!(failure.kind, FailureKind::Panic);
        assert!(failure.message.ends_with(": no row 7"), "{failure}");
        assert!(failure.message.contains(&format!("panic.rs:{line}:")), "{failure}");
    }

    #[test]
    fn a_panic_elsewhere_is_not_taken_for_the_tasks() {
        assert!(panic::catch_unwind(|| panic!("elsewhere")).is_err());
        let error = caught::<()>(|| panic::resume_unwind(Box::new(7))).unwrap_err();
        assert_eq!(error.to_string(), "it panicked");
    }
}
