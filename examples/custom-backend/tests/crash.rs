//! A process that is killed, or has no room, amid load: what it was answered is there.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use example_custom_backend::FileQueue;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use task_core::{Lookup, Name, Queue, TaskStatus};

const QUEUE: Name = Name::DEFAULT_QUEUE;

/// The program that enqueues and works, and what it has said.
struct Load {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    enqueued: BTreeSet<String>,
    completed: BTreeSet<String>,
}

impl Load {
    fn start(folder: &Path) -> Self {
        // a write over the limit is then an error, not the end of the process
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap "" XFSZ; exec "$0" "$@""#, env!("CARGO_BIN_EXE_file-queue-load")]);
        let mut child = shell.arg(folder).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, enqueued: BTreeSet::new(), completed: BTreeSet::new() }
    }

    /// The next thing that was refused; `None` once nothing more is said.
    fn next(&mut self) -> Option<String> {
        let line = self.lines.next()?.unwrap();
        let (word, rest) = line.split_once(' ').unwrap();
        match word {
            "enqueued" => drop(self.enqueued.insert(rest.to_owned())),
            "completed" => drop(self.completed.insert(rest.to_owned())),
            _ => {}
        }
        Some(if word == "refused" { rest.to_owned() } else { String::new() })
    }

    fn limit(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).unwrap();
    }

    /// Kills it, and hears what it has said until then.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        while self.next().is_some() {}
    }

    /// What was acknowledged is there, and nobody holds anything.
    async fn is_all_there(&self, folder: &Path) {
        let queue = FileQueue::open(folder).await.unwrap();
        for text in &self.enqueued {
            let Lookup::Found(record) = queue.result(&QUEUE, &text.parse().unwrap()).await.unwrap() else {
                panic!("task {text} was acknowledged, and is lost");
            };
            if self.completed.contains(text) {
                assert_eq!(record.status, TaskStatus::Completed, "the end of task {text} was acknowledged");
            }
        }
        let stats = queue.stats(&QUEUE).await.unwrap();
        assert_eq!((stats.running, stats.workers.len()), (0, 0), "whoever held tasks is dead");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn whatever_was_acknowledged_before_a_kill_is_there_after_it() {
    let folder = tempfile::tempdir().unwrap();
    // each time another load on what the one before has left
    for killed_after in [10, 300, 1000] {
        let mut load = Load::start(folder.path());
        while load.enqueued.len() + load.completed.len() < killed_after {
            let refused = load.next().unwrap();
            assert_eq!(refused, "");
        }
        load.kill();
        assert!(load.completed.len() > 1);
        load.is_all_there(folder.path()).await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_calls_with_words_and_loses_nothing_and_with_room_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut load = Load::start(folder.path());
    while load.enqueued.len() < 50 {
        load.next().unwrap();
    }
    let journal = folder.path().join("journal");
    load.limit(Some(std::fs::metadata(&journal).unwrap().len() + 1000));
    let refused = loop {
        let refused = load.next().unwrap();
        if !refused.is_empty() {
            break refused;
        }
    };
    assert!(refused.contains(&journal.display().to_string()) && refused.contains("room"), "{refused}");
    assert!(refused.contains("the queue can't be reached"), "such a call is sent again: {refused}");

    load.limit(None);
    let before = load.enqueued.len();
    while load.enqueued.len() < before + 200 {
        load.next().unwrap();
    }
    load.kill();
    load.is_all_there(folder.path()).await;
}
