use std::{
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use rustix::{io::dup, process::Signal};

use crate::child::{Ear, Worker};

/// A worker that runs the task `a`, which holds until it is told to finish.
fn holding(variables: &[(&str, &str)]) -> Worker {
    let mut worker = Worker::start(variables);
    worker.tell("hold a");
    assert_eq!(worker.says(), "hold starts");
    worker
}

#[test]
fn a_worker_that_is_told_to_stop_finishes_what_it_runs_and_exits_with_success() {
    for signal in [Signal::TERM, Signal::INT] {
        let ear = Ear::new();
        let mut worker = holding(&[("NOTIFY_SOCKET", &ear.path())]);
        worker.signal(signal);
        while !ear.words().contains(&"STOPPING=1".to_owned()) {}
        worker.tell("quick b");
        worker.tell("finish");
        let ended = worker.end();
        assert_eq!(ended.code, Some(0), "{}", ended.logged);
        assert_eq!(ended.said, ["a COMPLETED releases 0 crashes 0"], "and started nothing more");
    }
}

#[test]
fn at_the_end_of_its_grace_a_worker_gives_back_what_it_runs() {
    let worker = holding(&[("TASK_GRACE", "200ms")]);
    let told = Instant::now();
    worker.signal(Signal::TERM);
    let ended = worker.end();
    assert_eq!((ended.code, ended.said), (Some(0), vec!["a PENDING releases 1 crashes 0".to_owned()]));
    assert!(told.elapsed() >= Duration::from_millis(200), "{:?}", told.elapsed());
}

#[test]
fn a_second_signal_means_now() {
    let ear = Ear::new();
    let worker = holding(&[("NOTIFY_SOCKET", &ear.path()), ("TASK_GRACE", "1h")]);
    worker.signal(Signal::TERM);
    while !ear.words().contains(&"STOPPING=1".to_owned()) {}
    worker.signal(Signal::INT);
    let ended = worker.end();
    assert_eq!((ended.code, ended.said), (Some(0), vec!["a PENDING releases 1 crashes 0".to_owned()]));
}

#[test]
fn a_signal_that_comes_twice_at_once_lets_a_worker_finish_what_it_runs() {
    // `timeout` tells a process and its group: what ran was given back at once
    let finishes = || {
        let ear = Ear::new();
        let mut worker = holding(&[("NOTIFY_SOCKET", &ear.path()), ("WATCHDOG_USEC", "300000")]);
        worker.signal(Signal::TERM);
        while !ear.words().contains(&"STOPPING=1".to_owned()) {}
        worker.signal(Signal::TERM);
        // one that gave back at once would be gone before the third sign of life
        if !(0..3).all(|_| ear.any_within(Duration::from_secs(2)).is_some()) {
            return false;
        }
        worker.tell("finish");
        let ended = worker.end();
        assert_eq!(ended.code, Some(0));
        ended.said == ["a COMPLETED releases 0 crashes 0"]
    };
    // on a machine that does much else, at once may be late
    assert!((0..5).any(|_| finishes()));
}

#[test]
fn a_worker_stops_when_its_orchestrator_is_gone() {
    // workers went on for ever without anybody who looked after them
    let (read, write) = std::io::pipe().unwrap();
    let inherited = dup(&read).unwrap(); // a copy is inherited
    let mut worker = holding(&[("TASK_LIFELINE_FD", &inherited.as_raw_fd().to_string())]);
    worker.tell("quick b");
    assert_eq!(worker.says(), "quick runs", "it works while its orchestrator lives");
    drop(write);
    worker.tell("finish");
    let ended = worker.end();
    assert_eq!((ended.code, ended.said), (Some(0), vec!["a COMPLETED releases 0 crashes 0".to_owned()]));
}
