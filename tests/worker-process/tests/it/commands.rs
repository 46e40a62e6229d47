use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::child::{SOON, Worker};

/// Waits for what a command writes into a file.
fn content(path: &Path) -> String {
    eventually(|| fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'))).trim().to_owned()
}

fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "it does not happen in time");
        thread::sleep(Duration::from_millis(5));
    }
}

fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// A worker with a command that runs, and the command's process.
fn running_a_command() -> (Worker, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tasks = folder.path().join("tasks.toml");
    fs::write(
        &tasks,
        "[tasks.forever]\ncommand = [\"sh\", \"-c\", \"echo $$ $PPID > pids; exec sleep 1000\"]\n",
    )
    .unwrap();
    let mut worker = Worker::start(&[("TEST_TASKS_FILE", tasks.to_str().unwrap()), ("TASK_GRACE", "100ms")]);
    worker.tell("forever a");
    let pids = content(&folder.path().join("pids"));
    let (command, parent) = pids.split_once(' ').unwrap();
    assert_eq!(parent, worker.pid().to_string(), "the worker is the parent of its commands");
    assert!(is_alive(command));
    (worker, command.to_owned(), folder)
}

#[test]
fn a_command_does_not_outlive_a_worker_that_is_killed() {
    // a worker that was killed left its command behind, which ran beside the next attempt of the same task
    let (worker, command, _folder) = running_a_command();
    worker.signal(Signal::KILL);
    assert_eq!(worker.end().code, None);
    eventually(|| (!is_alive(&command)).then_some(()));
}

#[test]
fn a_worker_that_stops_ends_its_commands_and_gives_their_tasks_back() {
    let (worker, command, _folder) = running_a_command();
    worker.signal(Signal::TERM);
    let ended = worker.end();
    assert_eq!((ended.code, ended.said), (Some(0), vec!["a PENDING releases 1 crashes 0".to_owned()]));
    assert!(!is_alive(&command), "it was seen to stop before its task was given back");
}
