use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::child::{Ear, Worker};

#[test]
fn a_worker_says_that_it_is_ready_once_its_queue_has_answered_and_each_change_from_then_on() {
    let ear = Ear::new();
    let mut worker = Worker::start(&[("NOTIFY_SOCKET", &ear.path()), ("TEST_AWAY", "1")]);
    let until = |last: &str| {
        let mut words = ear.words();
        while words.last().unwrap() != last {
            words.extend(ear.words());
        }
        words
    };
    until("STATUS=waiting for the queue");
    assert_eq!(ear.words_within(Duration::from_millis(500)), None, "it is not ready yet");
    // a claim that was sent again waited for a task, and for so long the worker seemed to be without its queue
    let back = Instant::now();
    worker.tell("back");
    let words = until("STATUS=working");
    assert_eq!(words.iter().filter(|word| *word == "READY=1").count(), 1, "{words:?}");
    assert!(back.elapsed() < Duration::from_secs(4), "{:?}", back.elapsed());

    worker.signal(Signal::TSTP);
    assert_eq!(ear.words(), ["STATUS=paused: nothing is claimed"]);
    worker.tell("quick a");
    assert_eq!(ear.words_within(Duration::from_millis(200)), None, "nothing is new");
    worker.signal(Signal::CONT);
    assert_eq!(ear.words(), ["STATUS=working"]);
    assert_eq!(worker.says(), "quick runs");

    worker.signal(Signal::TERM);
    assert_eq!(ear.words(), ["STOPPING=1", "STATUS=stopping"]);
    let ended = worker.end();
    assert_eq!(ended.code, Some(0), "{}", ended.logged);
    assert_eq!(ended.logged.matches("the queue did not answer").count(), 1, "{}", ended.logged);
    assert_eq!(ended.logged.matches("the queue answers again").count(), 1, "{}", ended.logged);
}

#[test]
fn a_worker_gives_signs_of_life_also_while_a_task_blocks_its_runtime() {
    // live tasks were taken for stalled, and run twice, since they kept their worker from saying that it lives
    const ASKED: Duration = Duration::from_millis(600);
    let ear = Ear::new();
    let asked = ASKED.as_micros().to_string();
    let mut worker = Worker::start(&[("NOTIFY_SOCKET", &ear.path()), ("WATCHDOG_USEC", &asked)]);
    let is_alive = || ear.any_within(ASKED).is_some_and(|words| words == ["WATCHDOG=1"]);
    while ear.words().last().unwrap() != "STATUS=working" {}
    assert!((0..3).all(|_| is_alive()));
    worker.tell("block 1500");
    assert_eq!(worker.says(), "block starts");
    assert!((0..3).all(|_| is_alive()));
    assert_eq!(worker.says(), "block ends");
    assert!(is_alive());
}

#[test]
fn a_worker_to_whom_nobody_listens_works_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = folder.path().join("nobody").display().to_string();
    let mut worker = Worker::start(&[("NOTIFY_SOCKET", &nobody)]);
    worker.tell("quick a");
    assert_eq!(worker.says(), "quick runs");
    worker.signal(Signal::TERM);
    assert_eq!(worker.end().code, Some(0));
}
