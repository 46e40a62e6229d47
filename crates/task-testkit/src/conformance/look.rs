//! What people look at: lists, explanations, counts, queues.

use std::collections::BTreeSet;

use task_core::{
    Batch, Capability, Command, Filter, Name, Outcome, Queue as _, QueueError, QueueStats, Reason,
    ResultMessage, TaskStatus,
};

use crate::{
    Harness,
    sim::{Sim, failed, retry, skipped},
    stage::*,
};

/// All pages of a list.
async fn listed<H: Harness>(h: &H, mut filter: Filter) -> Vec<ResultMessage> {
    let mut tasks = Vec::new();
    for _ in 0..1000 {
        let page = h.queue().list(&QUEUE, filter.clone()).await.expect("a list is answered");
        assert!(page.tasks.len() <= filter.limit, "a page has no more tasks than were asked for");
        tasks.extend(page.tasks);
        filter.cursor = page.next;
        if filter.cursor.is_none() {
            return tasks;
        }
    }
    panic!("a list of {} tasks has no end", tasks.len());
}

fn names(tasks: &[ResultMessage]) -> Vec<String> {
    tasks.iter().map(|record| record.id.to_string()).collect()
}

/// One task in each of these states, `a` to `h`; answers the worker that has one.
async fn one_of_each<H: Harness>(h: &H) -> Sim<'_, H::Queue> {
    h.send(["a", "b", "c", "d", "e"].map(|id| task(id, options())).to_vec()).await;
    let mut worker = h.sim("w").lease(secs(3600));
    let held = worker.claim(5).await;
    worker.complete(&held[0]).await;
    worker.settle(&held[1], failed()).await;
    worker.settle(&held[2], skipped()).await;
    worker.settle(&held[3], retry(secs(60))).await;
    h.send(vec![task("f", options()), named("other", "g", options())]).await;
    worker
}

pub async fn a_list_has_every_task_once_over_all_its_pages<H: Harness>(h: &H) {
    if h.lacks(Capability::List).await {
        return;
    }
    one_of_each(h).await;
    h.send((0..40).map(|n| task(&format!("t{n}"), options())).collect()).await;
    for limit in [1, 3, 10, 1000] {
        let tasks = listed(h, Filter::new(limit)).await;
        assert_eq!(tasks.len(), 47, "pages of {limit}");
        assert_eq!(names(&tasks).into_iter().collect::<BTreeSet<_>>().len(), 47, "pages of {limit}");
        for record in tasks {
            assert_eq!(h.record(&record.id.to_string()).await, record);
        }
    }
}

pub async fn a_list_of_a_status_or_a_name_has_these_tasks_alone<H: Harness>(h: &H) {
    if h.lacks(Capability::List).await {
        return;
    }
    one_of_each(h).await;
    for (status, expected) in [
        (TaskStatus::Completed, vec!["a"]),
        (TaskStatus::Failed, vec!["b"]),
        (TaskStatus::Skipped, vec!["c"]),
        (TaskStatus::Retry, vec!["d"]),
        (TaskStatus::Running, vec!["e"]),
        (TaskStatus::Pending, vec!["f", "g"]),
        (TaskStatus::Cancelled, vec![]),
    ] {
        let mut filter = Filter::new(10);
        filter.status = Some(status);
        assert_eq!(names(&listed(h, filter).await), expected, "{status}");
    }
    let mut filter = Filter::new(10);
    filter.name = Some("other".parse().expect("a name"));
    assert_eq!(names(&listed(h, filter.clone()).await), ["g"]);
    filter.status = Some(TaskStatus::Failed);
    assert_eq!(names(&listed(h, filter).await), [] as [&str; 0]);
}

pub async fn the_next_to_run_and_the_last_to_end_are_listed_first<H: Harness>(h: &H) {
    if h.lacks(Capability::List).await {
        return;
    }
    let of = |status| {
        let mut filter = Filter::new(10);
        filter.status = Some(status);
        filter
    };
    let mut worker = h.sim("w");
    for id in ["one", "two", "three"] {
        h.put(id, options()).await;
        let held = worker.claim_one().await;
        worker.complete(&held).await;
        h.advance(secs(1)).await;
        worker.beat().await;
    }
    h.send(["x", "y", "z"].map(|id| task(id, options())).to_vec()).await;
    assert_eq!(names(&listed(h, of(TaskStatus::Completed)).await), ["three", "two", "one"]);
    assert_eq!(names(&listed(h, of(TaskStatus::Pending)).await), ["x", "y", "z"]);
}

pub async fn a_cursor_that_is_none_is_refused_with_words<H: Harness>(h: &H) {
    if h.lacks(Capability::List).await {
        return;
    }
    h.put("a", options()).await;
    let mut filter = Filter::new(10);
    filter.cursor = Some("no such place".into());
    let refused = h.queue().list(&QUEUE, filter).await;
    assert!(matches!(refused, Err(QueueError::Invalid(_))), "{refused:?}");
}

/// What `explain` says of a task, or nothing if it is not there.
async fn reasons<H: Harness>(h: &H, task: &str) -> Option<Vec<Reason>> {
    let explained = h.queue().explain(&QUEUE, &id(task)).await.expect("an explanation is answered");
    explained.map(|explanation| {
        assert_eq!(explanation.record.id, id(task));
        explanation.reasons
    })
}

/// "Why does it not run?" is the first question of whoever is on call.
pub async fn an_explanation_names_every_reason_why_a_task_waits<H: Harness>(h: &H) {
    if h.lacks(Capability::Explain).await {
        return;
    }
    assert_eq!(reasons(h, "nobody").await, None);
    h.put("a", options()).await;
    assert_eq!(reasons(h, "a").await, Some(vec![Reason::NoWorkers]));
    let mut knowing = h.sim("knowing");
    knowing.beat().await;
    assert_eq!(reasons(h, "a").await, Some(vec![]), "it is next");
    let unknowing = Sim::knowing(h.queue(), "unknowing", &["other"]);
    unknowing.beat().await;
    let half = Reason::NameKnownBy { knowing: 1, workers: 2 };
    assert_eq!(reasons(h, "a").await, Some(vec![half.clone()]));
    h.send(["b", "c"].map(|id| task(id, options())).to_vec()).await;
    assert_eq!(reasons(h, "c").await, Some(vec![half.clone(), Reason::Behind { tasks: 2 }]));
    if !h.lacks(Capability::Pause).await {
        h.control(Command::Pause).await;
        let expected = vec![Reason::Paused, half.clone(), Reason::Behind { tasks: 1 }];
        assert_eq!(reasons(h, "b").await, Some(expected));
        h.control(Command::Resume).await;
    }
    if !h.lacks(Capability::Delays).await {
        h.put("later", options().delay(secs(60))).await;
        let why = reasons(h, "later").await.expect("it is there");
        assert!(matches!(why[..], [_, Reason::DueIn { millis: 50_000..=60_000 }]), "{why:?}");
    }
    let held = knowing.claim_one().await;
    let why = reasons(h, "a").await.expect("it is there");
    assert!(matches!(&why[..], [Reason::Running { worker, .. }] if worker == "knowing"), "{why:?}");
    if !h.lacks(Capability::Cancel).await {
        h.cancel("a").await;
        let why = reasons(h, "a").await.expect("it is there");
        assert!(matches!(why[..], [Reason::Running { .. }, Reason::CancelRequested]), "{why:?}");
    }
    knowing.complete(&held).await;
    assert_eq!(reasons(h, "a").await, Some(vec![Reason::Final]));
}

pub async fn an_explanation_says_that_a_suspect_waits_for_a_process_of_its_own<H: Harness>(h: &H) {
    if h.lacks(Capability::Explain).await || h.lacks(Capability::Suspects).await {
        return;
    }
    h.suspect("poison").await;
    let worker = h.sim("w");
    worker.beat().await;
    assert_eq!(reasons(h, "poison").await, Some(vec![Reason::Suspect { crashes: 2 }]));
}

pub async fn named_queues_that_were_used_are_listed<H: Harness>(h: &H) {
    if h.lacks(Capability::Queues).await {
        return;
    }
    h.put("a", options()).await;
    let mail: Name = "mail".parse().expect("a name");
    let message = task("a", options().queue("mail"));
    h.queue().enqueue(Batch::new(mail.clone(), vec![message])).await.expect("an answer");
    assert_eq!(h.queue().queues().await.expect("an answer"), [mail, QUEUE]);
}

pub async fn what_waits_is_counted_by_why_it_waits<H: Harness>(h: &H) {
    for needed in [Capability::Stats, Capability::Delays, Capability::Suspects, Capability::UnknownNames] {
        if h.lacks(needed).await {
            return;
        }
    }
    h.suspect("poison").await;
    h.send(vec![named("new", "unknown", options())]).await;
    let mut worker = h.sim("w");
    worker.idle = false;
    let held = worker.claim_one().await;
    worker.settle(&held, Outcome::NameUnknown).await;
    h.send(vec![task("ready", options()), task("later", options().delay(secs(60)))]).await;
    let stats = h.stats().await;
    assert_eq!((stats.pending, stats.delayed, stats.unknown_name, stats.suspects), (4, 1, 1, 1));
    assert_eq!(stats.live(), 4);
}

pub async fn totals_count_each_thing_that_happened<H: Harness>(h: &H) {
    for needed in [Capability::Stats, Capability::Cancel, Capability::Expiry, Capability::Replay] {
        if h.lacks(needed).await {
            return;
        }
    }
    one_of_each(h).await;
    h.put("expired", options().expires(secs(1))).await;
    h.cancel("f").await;
    h.control(Command::Replay(id("b"))).await;
    h.advance(secs(2)).await;
    let mut worker = h.sim("w2");
    let held = worker.claim(1).await;
    worker.settle(&held[0], Outcome::Released).await;
    worker.claim(1).await;
    worker.release().await;
    let totals = h.stats().await.totals;
    assert_eq!((totals.enqueued, totals.completed, totals.failed, totals.skipped), (8, 1, 1, 1));
    assert_eq!((totals.cancelled, totals.expired, totals.retried, totals.replayed), (1, 1, 1, 1));
    assert_eq!((totals.released, totals.recovered_released, totals.recovered_lease), (1, 1, 0));
}

pub async fn the_age_of_what_waits_longest_is_told<H: Harness>(h: &H) {
    if h.lacks(Capability::Stats).await {
        return;
    }
    assert_eq!(h.stats().await.oldest_pending_secs, None);
    h.put("a", options()).await;
    h.advance(secs(100)).await;
    h.put("b", options()).await;
    let oldest = h.stats().await.oldest_pending_secs.expect("one waits");
    assert!((99.0..130.0).contains(&oldest), "{oldest}");
    let mut worker = h.sim("w");
    worker.claim_one().await;
    let oldest = h.stats().await.oldest_pending_secs.expect("one waits");
    assert!(oldest < 30.0, "{oldest}");
}

pub async fn workers_are_told_while_they_live_with_what_they_run<H: Harness>(h: &H) {
    if h.lacks(Capability::Stats).await {
        return;
    }
    let mut worker = Sim::knowing(h.queue(), "worker_1", &["work", "mail"]);
    worker.claim(0).await;
    let mut beat = task_core::Heartbeat::new(QUEUE, worker.worker, worker.registration.clone());
    beat.busy = 3;
    h.queue().heartbeat(beat).await.expect("an answer");
    let stats = h.stats().await;
    let [info] = &stats.workers[..] else { panic!("one worker is alive, and not {:?}", stats.workers) };
    assert_eq!((info.incarnation, &*info.label, info.busy), (worker.worker, "worker_1", 3));
    assert_eq!((&info.names, info.pid), (&worker.registration.names, worker.registration.pid));
    assert!(info.since <= info.seen);
    worker.release().await;
    assert_eq!(h.stats().await.workers, []);
}

pub async fn a_queue_that_nobody_used_is_empty<H: Harness>(h: &H) {
    if h.lacks(Capability::Stats).await {
        return;
    }
    let mail: Name = "mail".parse().expect("a name");
    let mut stats = h.queue().stats(&mail).await.expect("an answer");
    (stats.enqueued_per_minute, stats.finished_per_minute) = (0.0, 0.0);
    assert_eq!(stats, QueueStats::new(mail.clone()));
    if !h.lacks(Capability::List).await {
        assert!(h.queue().list(&mail, Filter::new(10)).await.expect("an answer").tasks.is_empty());
    }
}

/// A gap that nobody was told of is found in production.
pub async fn what_the_backend_does_not_claim_it_answers_as_unsupported<H: Harness>(h: &H) {
    for capability in Capability::ALL {
        h.lacks(capability).await;
    }
    let info = h.queue().info().await.expect("an answer");
    assert!(!info.backend.is_empty(), "it says what it is");
}
