//! Who waits is woken: by a push, by the clock, and also when others stop waiting.

use std::time::{Duration, Instant};

use task_queue_redis::task_core::*;

use crate::{server::Server, stage::*};

/// A worker that stopped waiting took the token along that was on its way to it, and the next one slept on.
#[tokio::test]
async fn a_wait_that_is_dropped_leaves_its_token_to_the_next() {
    let server = Server::start(&[]);
    let (one, two) = (server.queue().await, server.queue().await);
    let dropped = tokio::spawn(async move { one.dequeue(long_claim()).await });
    server.see("waits", "blpop", 1).await;
    let waits = tokio::spawn({
        let two = two.clone();
        async move { two.dequeue(long_claim()).await }
    });
    server.see("waits", "blpop", 2).await;
    // the server serves first who came first: the one that nobody listens to any more
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    put(&two, "a", options()).await;
    let got = soon("the other worker is woken", waits).await.unwrap().unwrap();
    assert_eq!(got.tasks.len(), 1);
}

#[tokio::test]
async fn several_waits_of_one_client_share_a_connection_and_each_gets_its_task() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    let waits: Vec<_> = (1..=3)
        .map(|number| {
            let (queue, mut claim) = (queue.clone(), claim(worker, number));
            (claim.wait, claim.acked) = (Duration::from_secs(30), 0);
            tokio::spawn(async move { queue.dequeue(claim).await })
        })
        .collect();
    server.see("waits", "blpop", 1).await;
    for text in ["a", "b", "c"] {
        put(&queue, text, options()).await;
    }
    for wait in waits {
        assert_eq!(soon("each is woken", wait).await.unwrap().unwrap().tasks.len(), 1);
    }
}

/// The token for a task of a name that few know went to a worker that does not know it, and the one that does slept on.
#[tokio::test]
async fn a_worker_that_knows_the_name_is_woken_for_a_task_that_another_did_not_know() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let mut stranger = Claim::new(Q, Incarnation::new(), registration(&["other"]), 1);
    put(&queue, "a", options()).await;
    let got = queue.dequeue(stranger.clone()).await.unwrap().tasks;
    (stranger.number, stranger.wait) = (2, Duration::from_secs(30));
    let (other, knowing) = (server.queue().await, server.queue().await);
    tokio::spawn(async move { other.dequeue(stranger).await });
    server.see("waits", "blpop", 1).await;
    let waits = tokio::spawn(async move { knowing.dequeue(long_claim()).await });
    server.see("waits", "blpop", 2).await;
    settle(&queue, &got[0], Outcome::NameUnknown).await;
    let got = soon("the one that knows it is woken", waits).await.unwrap().unwrap();
    assert_eq!(got.tasks[0].record.id, id("a"));
}

#[tokio::test]
async fn a_delayed_task_starts_when_it_is_due_though_nobody_calls() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let waits = tokio::spawn({
        let queue = queue.clone();
        async move { queue.dequeue(long_claim()).await }
    });
    server.see("waits", "blpop", 1).await;
    put(&queue, "a", options().delay(Duration::from_millis(700))).await;
    let got = soon("it starts", waits).await.unwrap().unwrap();
    let record = &got.tasks[0].record;
    let late = record.started_at.unwrap().since(record.enqueued_at);
    assert!(late >= Duration::from_millis(700), "it started {late:?} after its enqueue");
}

/// The one that watched the clock got a task, or died, and the others waited for each other.
#[tokio::test]
async fn the_clock_is_watched_also_when_the_one_that_watched_it_works_or_is_gone() {
    for works in [true, false] {
        let server = Server::start(&[]);
        let queue = server.queue().await;
        put(&queue, "later", options().delay(Duration::from_millis(1500))).await;
        let first = long_claim();
        let dead = first.worker;
        let waits = tokio::spawn({
            let queue = queue.clone();
            async move { queue.dequeue(first).await }
        });
        server.see("waits", "blpop", 1).await;
        let (second, other) = (
            tokio::spawn({
                let queue = server.queue().await;
                async move { queue.dequeue(long_claim()).await }
            }),
            server.queue().await,
        );
        server.see("waits", "blpop", 2).await;
        if works {
            put(&other, "now", options()).await;
            let got = soon("the first works", waits).await.unwrap().unwrap();
            assert_eq!(got.tasks[0].record.id, id("now"));
        } else {
            waits.abort();
            queue.release(&Q, dead).await.unwrap();
        }
        let got = soon("the other watches", second).await.unwrap().unwrap();
        assert_eq!(got.tasks[0].record.id, id("later"), "the first works: {works}");
    }
}

#[tokio::test]
async fn many_that_wait_for_results_hear_of_each_over_one_connection() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let ids: Vec<String> = (0..50).map(|n| format!("t{n}")).collect();
    let mut waits = Vec::new();
    for text in &ids {
        put(&queue, text, options()).await;
        let (queue, id) = (queue.clone(), id(text));
        waits.push(tokio::spawn(async move { queue.wait(&Q, &id, Duration::from_secs(30)).await }));
    }
    server.see("news", "subscribe", 1).await;
    until("all of them wait", || async {
        (server.say(&["scard", "tf:{tasks}:waiting"]) == "50").then_some(())
    })
    .await;
    let worker = Incarnation::new();
    let mut claim = claim(worker, 1);
    claim.max_tasks = 50;
    for delivery in queue.dequeue(claim).await.unwrap().tasks {
        settle(&queue, &delivery, completed()).await;
    }
    for wait in waits {
        let found = soon("each hears of it", wait).await.unwrap().unwrap().into_found().unwrap();
        assert_eq!(found.status, TaskStatus::Completed);
    }
    assert_eq!(server.say(&["scard", "tf:{tasks}:waiting"]), "0");
}

/// News are late where their connection is: the end of a task was told for that of another, which had its id meanwhile.
#[tokio::test]
async fn late_news_of_a_task_that_was_deleted_are_not_taken_for_those_of_the_next_under_its_id() {
    const KEEP: &str = "redis.call('SET', 'kept', redis.call('HVALS', 'tf:{tasks}:tasks')[1])";
    const TELL: &str = "local news = redis.call('HKEYS', 'tf:{tasks}:tasks')[1] .. string.char(10) .. redis.call('GET', 'kept')
        return redis.call('PUBLISH', 'tf:{tasks}:done', news)";
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    put(&queue, "a", options()).await;
    work(&queue, worker, 1, &completed()).await;
    server.command(&["eval", KEEP, "0"]);
    queue.control(&Q, Command::Delete(id("a"))).await.unwrap();
    put(&queue, "a", options()).await;
    let wait = tokio::spawn({
        let queue = queue.clone();
        async move { queue.wait(&Q, &id("a"), Duration::from_secs(30)).await }
    });
    let told = || async { (server.command(&["eval", TELL, "0"]).trim() == "1").then_some(()) };
    until("somebody hears the old news", told).await;
    let held = queue.dequeue(claim(worker, 2)).await.unwrap().tasks;
    settle(&queue, &held[0], Outcome::Completed { result: vec![9].into() }).await;
    let found = soon("it hears of the end", wait).await.unwrap().unwrap().into_found().unwrap();
    assert_eq!(found.result.as_deref(), Some(&[9u8][..]));
}

/// BLPOP takes a wait that is rounded to nothing for one that never ends.
#[tokio::test]
async fn a_heartbeat_with_hardly_any_time_left_does_not_wait_for_ever() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let mut sign = beat(Incarnation::new());
    queue.heartbeat(sign.clone()).await.unwrap();
    for micros in (0..4000).step_by(100) {
        sign.wait = Duration::from_micros(micros);
        let began = Instant::now();
        queue.heartbeat(sign.clone()).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{micros} µs: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_says_how_the_task_stands() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    let stands = async || {
        let found = queue.wait(&Q, &id("a"), Duration::from_millis(50)).await.unwrap();
        let record = found.into_found().unwrap();
        (record.status, record.attempts)
    };
    assert_eq!(stands().await, (TaskStatus::Pending, 0));
    let got = queue.dequeue(claim(Incarnation::new(), 1)).await.unwrap().tasks;
    assert_eq!(stands().await, (TaskStatus::Running, 1));
    settle(&queue, &got[0], retry_in(60)).await;
    assert_eq!(stands().await, (TaskStatus::Retry, 1));
}

#[tokio::test]
async fn settlements_and_the_claim_after_them_go_together_also_to_a_server_that_forgot_the_scripts() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    put(&queue, "a", options()).await;
    put(&queue, "b", options()).await;
    let got = queue.dequeue(claim(worker, 1)).await.unwrap().tasks;
    server.say(&["script", "flush"]);
    let settlement = Settlement::new(got[0].clone(), completed());
    let request = SettleRequest::new(Q, vec![settlement]).then(claim(worker, 2));
    let reply = queue.settle(request).await.unwrap();
    assert_eq!(reply.answers, [SettleAnswer::Done]);
    let next = reply.claimed.unwrap().unwrap().tasks;
    assert_eq!(next[0].record.id, id("b"));
    // a claim alone, by a worker that the queue does not know yet
    settle(&queue, &next[0], Outcome::Released).await;
    let request = SettleRequest::new(Q, Vec::new()).then(claim(Incarnation::new(), 1));
    assert_eq!(queue.settle(request).await.unwrap().claimed.unwrap().unwrap().tasks.len(), 1);
}

/// The late copy of a claim took a task, and its worker was woken by the token for another one: it was answered with the
/// first, and the second waited for a worker's own look.
#[tokio::test]
async fn a_token_taken_for_a_claim_that_is_answered_as_before_is_passed_on() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    assert!(queue.dequeue(claim(worker, 1)).await.unwrap().tasks.is_empty());
    put(&queue, "a", options()).await;
    put(&queue, "b", options()).await;
    assert_eq!(queue.dequeue(claim(worker, 1)).await.unwrap().tasks.len(), 1);
    assert_eq!(server.say(&["lpop", "tf:{tasks}:wake"]), "1");
    let again = queue.dequeue(claim(worker, 1)).await.unwrap();
    assert_eq!((again.tasks.len(), again.more), (1, true));
    assert_eq!(server.say(&["llen", "tf:{tasks}:wake"]), "1");
}

#[tokio::test]
async fn a_token_that_was_lost_with_whoever_took_it_is_put_back_by_the_next_heartbeat() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let (knows, other) = (beat(Incarnation::new()), Incarnation::new());
    let stranger = Heartbeat::new(Q, other, registration(&["other"]));
    for beat in [&knows, &stranger] {
        queue.heartbeat(beat.clone()).await.unwrap();
    }
    put(&queue, "a", options()).await;
    assert_eq!(server.say(&["lpop", "tf:{tasks}:wake"]), "1");
    queue.heartbeat(stranger.clone()).await.unwrap();
    assert_eq!(server.say(&["llen", "tf:{tasks}:wake"]), "1", "one that anybody may take");

    let claim = Claim::new(Q, other, stranger.registration.clone(), 1);
    let got = queue.dequeue(claim).await.unwrap().tasks;
    settle(&queue, &got[0], Outcome::NameUnknown).await;
    let called = |worker: Incarnation| format!("tf:{{tasks}}:call:{worker}");
    assert_eq!(server.say(&["lpop", &called(knows.worker)]), "1");
    for beat in [&knows, &stranger] {
        queue.heartbeat(beat.clone()).await.unwrap();
    }
    let calls = [knows.worker, other].map(|worker| server.say(&["llen", &called(worker)]));
    assert_eq!(calls, ["1", "0"], "one for whoever knows the name");
    queue.control(&Q, Command::Pause).await.unwrap();
    server.say(&["del", &called(knows.worker)]);
    queue.heartbeat(knows.clone()).await.unwrap();
    assert_eq!(server.say(&["llen", &called(knows.worker)]), "0", "and none while nothing is given out");
}
