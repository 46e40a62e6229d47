//! Messages, params and results that can't be read: one of them stops no other, and floods nothing.

use std::sync::atomic::Ordering;

use task_worker::{
    core::{Delivery, FailureKind, ResultError, TaskHandle, TaskOptions, TaskStatus, encode},
    prelude::*,
};

use crate::{Mail, Number, SOON, eventually, log::Log, memory, watched::Watched, with_worker};

fn numbers() -> TaskRegistry {
    TaskRegistry::new().register_fn(|number: Number, _| async move { Ok(number.n) })
}

/// Changes the stored message of the task `bad` on its way to the worker.
fn with_bad(change: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Watched {
    Watched::altering(move |delivery| {
        if delivery.id().to_string() != "bad" {
            return delivery;
        }
        let mut stored = delivery.message.as_ref().unwrap().to_record();
        change(&mut stored);
        Delivery::new(delivery.token, &stored.into(), delivery.record)
    })
}

async fn put_bad(queue: &TaskQueue) -> TaskHandle<u32> {
    queue.enqueue(Number { n: 1 }).id("bad".parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_message_of_a_newer_release_is_put_back_now_and_then_and_starves_nobody() {
    // a worker that knew its name got it back at once, hundreds of times a second, before any other task
    let watched = with_bad(|stored| stored[1] += 1);
    let (queue, seen) = (TaskQueue::new(watched.clone()), watched.seen.clone());
    let bad = put_bad(&queue).await;
    let test = async {
        for n in 0..20 {
            assert_eq!(queue.enqueue(Number { n }).await.unwrap().result(SOON).await.unwrap(), n);
        }
        eventually(async || (seen.unknown.load(Ordering::SeqCst) >= 2).then_some(())).await;
    };
    with_worker(&queue, numbers(), |worker| worker.concurrency(1), test).await;
    let record = bad.message().await.unwrap().unwrap();
    assert_eq!((record.status, record.attempts, record.failures), (TaskStatus::Pending, 0, 0));
    let calls = seen.settles.load(Ordering::SeqCst) + seen.claims.load(Ordering::SeqCst);
    assert!(calls < 100, "{calls} calls for 21 tasks");
}

#[tokio::test]
async fn a_damaged_message_fails_its_task_and_says_what_is_wrong() {
    let queue = TaskQueue::new(with_bad(|stored| stored.truncate(6)));
    let bad = put_bad(&queue).await;
    let test = async {
        let Err(ResultError::Failed { failure, .. }) = bad.result(SOON).await else { panic!("it failed") };
        assert_eq!(failure.kind, FailureKind::Params);
        assert!(failure.message.starts_with("its record can't be read: "), "{failure}");
        assert_eq!(queue.enqueue(Number { n: 2 }).await.unwrap().result(SOON).await.unwrap(), 2);
    };
    with_worker(&queue, numbers(), |worker| worker, test).await;
}

#[tokio::test]
async fn params_that_do_not_decode_are_tried_again_like_any_failure_since_a_deploy_may_mend_them() {
    let queue = memory();
    let wrong = queue.enqueue_named::<u32>("number", &"seven").max_retries(1).await.unwrap();
    let test = async {
        let Err(ResultError::Failed { failure, .. }) = wrong.result(SOON).await else { panic!("it failed") };
        assert_eq!(failure.kind, FailureKind::Params);
        assert!(failure.message.starts_with("the params of `number` can't be decoded: "), "{failure}");
        assert_eq!(wrong.message().await.unwrap().unwrap().failures, 2);
    };
    with_worker(&queue, numbers(), |worker| worker, test).await;
}

#[tokio::test]
async fn a_result_of_another_type_than_the_params_say_is_told_to_whoever_reads_it() {
    let queue = memory();
    let name = "number".parse().unwrap();
    let registry = TaskRegistry::new().register_named(name, TaskOptions::default(), |_, _| {
        Box::pin(async { Ok(encode("no number").unwrap().into()) })
    });
    let number = queue.enqueue(Number { n: 1 }).await.unwrap();
    let test = async {
        let wrong = number.result(SOON).await.unwrap_err();
        assert!(matches!(wrong, ResultError::Decode { .. }), "{wrong}");
        assert_eq!(number.status().await.unwrap(), Some(TaskStatus::Completed));
    };
    with_worker(&queue, registry, |worker| worker, test).await;
}

#[tokio::test]
async fn a_worker_says_once_of_a_name_that_it_can_not_read_its_messages() {
    // a line for each time that such a message came by filled the log
    let log = Log::default();
    let _guard = log.listen();
    let watched = with_bad(|stored| stored[1] += 1);
    let queue = TaskQueue::new(watched.clone());
    put_bad(&queue).await;
    with_worker(&queue, numbers(), |worker| worker, async {
        eventually(async || (watched.seen.unknown.load(Ordering::SeqCst) >= 2).then_some(())).await;
    })
    .await;
    let lines = log.lines();
    assert_eq!(lines.matches("newer release").count(), 1, "{lines}");
    assert!(lines.contains("number"), "{lines}");
}

#[tokio::test]
async fn unreadable_messages_and_mail_of_an_unknown_name_leave_each_other_alone() {
    let queue = TaskQueue::new(with_bad(|stored| stored[1] += 1));
    let (bad, mail) = (put_bad(&queue).await, queue.enqueue(Mail { to: 1 }).await.unwrap());
    let test = async {
        eventually(async || (mail.status().await.unwrap() == Some(TaskStatus::Pending)).then_some(())).await;
        assert_eq!(queue.enqueue(Number { n: 2 }).await.unwrap().result(SOON).await.unwrap(), 2);
    };
    with_worker(&queue, numbers(), |worker| worker, test).await;
    for record in [bad.message().await.unwrap().unwrap(), mail.message().await.unwrap().unwrap()] {
        assert_eq!((record.status, record.attempts), (TaskStatus::Pending, 0));
    }
}
