//! What is kept has a bound, by time and by count.

use std::time::Duration;

use task_queue_redis::task_core::*;

use crate::{cost::calls, server::Server, stage::*};

#[tokio::test]
async fn results_over_their_cap_go_before_their_time_and_are_counted() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    queue.keep_completed(&Q, Some(5)).await.unwrap();
    put_many(&queue, "t", 20, options()).await;
    let worker = Incarnation::new();
    work(&queue, worker, 1, &completed()).await;
    queue.advance_clock(&Q, Duration::from_secs(1), true).await.unwrap();
    let stats = queue.stats(&Q).await.unwrap();
    assert_eq!((stats.completed, stats.totals.completed, stats.totals.dropped_results), (5, 20, 15));
    let first = queue.result(&Q, &id("t0000")).await.unwrap();
    assert_eq!(first, Lookup::Expired, "its id is remembered");
}

#[tokio::test]
async fn a_failed_task_beyond_the_cap_loses_its_params_and_never_its_status() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    queue.keep_replayable(&Q, Some(2)).await.unwrap();
    put_many(&queue, "failed", 3, options()).await;
    work(&queue, worker, 1, &failed()).await;
    queue.advance_clock(&Q, Duration::from_secs(1), true).await.unwrap();
    put_many(&queue, "cancelled", 2, options()).await;
    queue.control(&Q, Command::Purge).await.unwrap();
    queue.heartbeat(beat(worker)).await.unwrap();
    for n in 0..3 {
        let name = format!("failed000{n}");
        let known = record(&queue, &name).await;
        let error = known.error.unwrap();
        assert_eq!((known.status, known.task.as_str()), (TaskStatus::Failed, EXTRACT), "{name}");
        assert_eq!((error.message.as_str(), known.failures, known.errors.len()), ("no", 1, 1), "{name}");
        assert_eq!(queue.message(&Q, &id(&name)).await.unwrap(), None);
        let replayed = queue.control(&Q, Command::Replay(id(&name))).await.unwrap();
        assert_eq!(replayed, ControlAnswer::ParamsDropped, "{name}");
        let there = Enqueued::Exists { status: TaskStatus::Failed, same: true };
        assert_eq!(put(&queue, &name, options()).await, there, "it is still known by its params");
    }
    let replayed = queue.control(&Q, Command::Replay(id("cancelled0001"))).await.unwrap();
    assert_eq!(replayed, ControlAnswer::Done(1));
    assert_eq!(queue.control(&Q, Command::Delete(id("failed0000"))).await.unwrap(), ControlAnswer::Done(1));
    assert_eq!(queue.stats(&Q).await.unwrap().failed, 2);
}

/// A thousand delayed tasks in one call kept the server from its other clients for ten milliseconds and more.
#[tokio::test]
async fn a_batch_of_many_delayed_tasks_goes_in_parts_and_is_answered_in_its_order() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let late = options().delay(Duration::from_secs(60));
    let mut messages: Vec<_> =
        (0..600).map(|n| named(EXTRACT, &format!("late{n:04}"), late.clone())).collect();
    let unique = |text| named(EXTRACT, text, late.clone().unique("one"));
    messages[3] = unique("first");
    messages[590] = unique("second");
    messages[595] = messages[0].clone();
    put(&queue, "before", options()).await;
    let scripts = || calls(&server, "eval") + calls(&server, "evalsha");
    let before = scripts();
    let answers = queue.enqueue(Batch::new(Q, messages)).await.unwrap().answers;
    assert_eq!(scripts() - before, 3);
    assert_eq!(answers.len(), 600);
    for (n, answer) in answers.into_iter().enumerate() {
        let expected = match n {
            590 => Enqueued::DuplicateOf(id("first")),
            595 => Enqueued::Exists { status: TaskStatus::Pending, same: true },
            _ => Enqueued::Queued,
        };
        assert_eq!(answer, expected, "{n}");
    }
    assert_eq!(queue.stats(&Q).await.unwrap().delayed, 598);
}

/// Each step read and wrote all that the claim had been given, for the hundred that it gave back.
#[tokio::test]
async fn a_large_claim_that_is_given_back_in_steps_keeps_its_order() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    put_many(&queue, "t", 700, options()).await;
    let mut all = claim(worker, 1);
    all.max_tasks = 700;
    let held = queue.dequeue(all).await.unwrap().tasks;
    // one in the middle of what a step looks at, and one at the end
    for n in [450, 699] {
        assert_eq!(settle(&queue, &held[n], completed()).await, SettleAnswer::Done);
    }
    assert_eq!(queue.release(&Q, worker).await.unwrap(), 698);
    let mut again = claim(Incarnation::new(), 1);
    again.max_tasks = 1000;
    let tasks = queue.dequeue(again).await.unwrap().tasks;
    let expected =
        held.iter().enumerate().filter(|(n, _)| ![450, 699].contains(n)).map(|(_, task)| task.id());
    assert!(tasks.iter().map(|delivery| delivery.id()).eq(expected));
}

/// The sweep forgot at most a thousand tasks a second: more work than that, and what was kept grew without end.
#[tokio::test]
async fn what_is_forgotten_keeps_up_with_what_ends() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    let short = options().retention(Duration::from_secs(1));
    for round in 0..6 {
        put_many(&queue, &format!("r{round}-"), 1000, short.clone()).await;
        assert_eq!(work(&queue, worker, round + 1, &completed()).await, 1000);
        queue.advance_clock(&Q, Duration::from_secs(700), true).await.unwrap();
        // leases have ended meanwhile, which this worker's own claim outlives
        let kept: u64 = server.say(&["hlen", "tf:{tasks}:tasks"]).parse().unwrap();
        assert!(kept <= 2000, "after round {round}, {kept} tasks are kept");
    }
}

/// The entry of a task that a claim forgets, and then comes upon, stayed void: the id was taken for it when it came again.
#[tokio::test]
async fn a_claim_that_forgets_a_task_takes_its_stale_entry_for_what_it_is() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    // an entry stays in a list that is too long to look through
    put_many(&queue, "t", 1002, options()).await;
    queue.cancel(&Q, &id("t0500")).await.unwrap();
    queue.advance_clock(&Q, Duration::from_secs(2 * 24 * 3600), false).await.unwrap();
    let worker = Incarnation::new();
    let given = [work(&queue, worker, 1, &completed()).await, work(&queue, worker, 2, &completed()).await];
    assert_eq!(given, [1000, 1]);
    assert_eq!(server.say(&["exists", "tf:{tasks}:void"]), "0");
    put(&queue, "t0500", options()).await;
    assert_eq!(work(&queue, worker, 3, &completed()).await, 1);
}

/// A result to be kept for as long as one can say was written with a time too long for its field, and could not be read.
#[tokio::test]
async fn the_longest_durations_are_kept_and_read() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let longest = Duration::MAX;
    put(&queue, "a", options().retention(longest).expires(longest).timeout(longest)).await;
    work(&queue, Incarnation::new(), 1, &completed()).await;
    let record = record(&queue, "a").await;
    assert_eq!((record.status, record.result.as_deref()), (TaskStatus::Completed, Some(&[7][..])));
    put(&queue, "b", options().delay(longest)).await;
    let explained = queue.explain(&Q, &id("b")).await.unwrap().unwrap();
    assert!(
        matches!(explained.reasons[..], [Reason::DueIn { .. }, ..] | [_, Reason::DueIn { .. }]),
        "{explained:?}"
    );
}

/// A retention was looked for in the params too, all of which a script went through for it.
#[tokio::test]
async fn a_task_that_no_worker_ended_is_kept_as_its_message_asks_whatever_its_params_are() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    for (n, size) in [0, 1, 255, 256, 65_535, 65_536, 300_000].into_iter().enumerate() {
        let like_a_key = [0xa1, b'p', 0xc4, 0xa1, b'k', 0x01];
        let params: Vec<u8> = like_a_key.into_iter().cycle().take(size).collect();
        for (word, options) in
            [("short", options().retention(Duration::from_secs(900))), ("usual", options())]
        {
            let text = format!("{word}{n}");
            let message = TaskMessage::new(id(&text), EXTRACT, params.clone(), options).unwrap();
            queue.enqueue(Batch::new(Q, vec![message])).await.unwrap();
            assert_eq!(queue.cancel(&Q, &id(&text)).await.unwrap(), CancelAnswer::Cancelled);
        }
    }
    for (seconds, is_there) in [(890, true), (20, false)] {
        queue.advance_clock(&Q, Duration::from_secs(seconds), true).await.unwrap();
        for n in 0..7 {
            let found = queue.result(&Q, &id(&format!("short{n}"))).await.unwrap();
            assert_eq!(matches!(found, Lookup::Found(_)), is_there, "{n}: {found:?}");
            assert_eq!(record(&queue, &format!("usual{n}")).await.status, TaskStatus::Cancelled);
        }
    }
}
