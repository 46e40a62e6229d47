use rustix::process::Signal;

use crate::child::Worker;

#[test]
fn the_environment_says_who_a_worker_is_what_it_works_on_and_how_much_at_once() {
    let incarnation = "00000000000000000000000000abcdef.0";
    let mut worker = Worker::start(&[
        ("WORKER_ID", "worker_7"),
        ("WORKER_INCARNATION", incarnation),
        ("QUEUE_NAME", "tasks=3,mail"),
        ("TASK_CONCURRENCY", "5"),
    ]);
    worker.tell("quick a");
    assert_eq!(worker.says(), "quick runs");
    for queue in ["tasks", "mail"] {
        let worker_line = loop {
            worker.tell(&format!("workers {queue}"));
            match worker.says() {
                nobody if nobody == "no more workers" => {} // it has not claimed there yet
                line => break line,
            }
        };
        let words: Vec<&str> = worker_line.split(' ').collect();
        assert_eq!(words[1..], ["worker_7", incarnation, "5"], "{worker_line}");
        assert_eq!(worker.says(), "no more workers");
    }
    worker.signal(Signal::TERM);
    assert_eq!(worker.end().code, Some(0));
}

#[test]
fn a_variable_with_a_value_that_can_not_be_is_named_with_it_before_anything_starts() {
    for (variable, value) in [
        ("WORKER_INCARNATION", "seven"),
        ("QUEUE_NAME", "tasks=0"),
        ("TASK_CONCURRENCY", "many"),
        ("TASK_MAX_RETRIES", "-1"),
        ("TASK_GRACE", "soon"),
    ] {
        let ended = Worker::start(&[(variable, value)]).end();
        assert_eq!(ended.code, Some(2), "{variable}");
        assert!(
            ended.logged.contains(&format!("error: {variable}=`{value}` can't be: ")),
            "{}",
            ended.logged
        );
    }
}
