//! Real processes, some of which misbehave, under a supervisor on a queue in this process.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc};

use rustix::process::{Pid, kill_process, test_kill_process};
use task_core::{Claim, Incarnation, Name, Queue as _, Registration, SettleRequest, TaskHandle, TaskStatus};
use task_queue_memory::MemoryQueue;

use super::*;
use crate::{crew::Crew, settings::WorkerSettings};

/// A supervisor reaps what is nobody's in its whole process, so two must not be at work in one.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Far more than anything here takes; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    folder: tempfile::TempDir,
    queue: TaskQueue,
    crew: Crew,
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

impl Bench {
    async fn new(script: &str, grace: Duration) -> Self {
        Self::on(system::NATIVE, script, grace).await
    }

    /// One worker that is this shell script; it finds its folder in `$1`.
    async fn on(system: &'static dyn System, script: &str, grace: Duration) -> Self {
        let alone = ONE_AT_A_TIME.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker");
        fs::write(&path, format!("#!/bin/sh\ncd \"$1\"\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let queue = TaskQueue::new(MemoryQueue::new());
        let settings = settings(path, folder.path().into(), grace);
        let supervisor = Supervisor::on(system, &settings, queue.clone(), Arc::default()).unwrap();
        let crew = Crew::start(async |commands, health| Ok(supervisor.run(commands, health).await?));
        Self { folder, queue, crew, _alone: alone }
    }

    /// The lines of a file that the script writes, once there are so many.
    async fn lines(&self, file: &str, count: usize) -> Vec<String> {
        let path = self.folder.path().join(file);
        eventually(async || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let lines: Vec<String> = whole.lines().map(str::to_owned).collect();
            (lines.len() >= count).then_some(lines)
        })
        .await
    }

    async fn stop(self) {
        self.crew.tell(Command::Stop).await;
        tokio::time::timeout(PATIENCE, self.crew.over).await.expect("it stops").unwrap().unwrap();
    }
}

fn settings(worker: PathBuf, folder: PathBuf, grace: Duration) -> Settings {
    let sample = Settings::sample();
    Settings {
        url: "localhost:6379".into(),
        inside: false,
        outlives: true,
        worker: WorkerSettings { grace, ..sample.worker },
        program: Program::Other { named: worker.clone(), path: worker, args: vec![folder.into()] },
        ..sample
    }
}

async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "it never came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn pid(text: &str) -> Pid {
    Pid::from_raw(text.parse().unwrap()).unwrap()
}

#[tokio::test]
async fn the_tasks_of_a_killed_worker_are_given_back_in_well_under_a_second_and_it_is_started_again() {
    given_back_and_started_again(system::NATIVE).await;
}

#[tokio::test]
async fn without_what_only_linux_has_too_a_killed_worker_is_seen_at_once_and_started_again() {
    given_back_and_started_again(&system::Plain).await;
}

async fn given_back_and_started_again(system: &'static dyn System) {
    let script =
        "echo \"$WORKER_INCARNATION $$ $WORKER_ID $TASK_QUEUE $QUEUE_NAME\" >> starts; exec sleep 600";
    let bench = Bench::on(system, script, Duration::ZERO).await;
    let lines = bench.lines("starts", 1).await;
    let first: Vec<&str> = lines[0].split(' ').collect();
    assert_eq!(first[2..], ["worker_1", "localhost:6379", "tasks=1"]);

    let handle: TaskHandle<()> = bench.queue.enqueue_named("extract", &()).await.unwrap();
    let worker: Incarnation = first[0].parse().unwrap();
    let registration = Arc::new(Registration::new("worker_1", ["extract".parse().unwrap()]));
    let claim = Claim::new(Name::DEFAULT_QUEUE, worker, registration, 1);
    let claimed = bench.queue.dequeue(claim).await.unwrap();
    assert_eq!((claimed.tasks.len(), handle.status().await.unwrap()), (1, Some(TaskStatus::Running)));

    let killed = Instant::now();
    kill_process(pid(first[1]), Signal::KILL).unwrap();
    eventually(async || (handle.status().await.unwrap() == Some(TaskStatus::Pending)).then_some(())).await;
    assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
    let lines = bench.lines("starts", 2).await;
    assert!(!lines[1].starts_with(first[0]), "each start is an incarnation of its own");
    // what the dead one might still send is refused
    let late = task_core::Settlement::new(claimed.tasks[0].clone(), task_core::Outcome::Released);
    let late = bench.queue.settle(SettleRequest::new(Name::DEFAULT_QUEUE, vec![late])).await.unwrap();
    assert_eq!(late.answers, [task_core::SettleAnswer::Stale]);
    bench.stop().await;
}

#[tokio::test]
async fn what_a_dead_worker_left_behind_is_killed_also_in_a_process_group_of_its_own() {
    // `set -m` gives each background job a process group, as a worker does for a command
    all_is_killed(system::NATIVE, "set -m; sleep 600 & echo $! >> left;").await;
}

#[tokio::test]
async fn without_what_only_linux_has_what_a_dead_worker_left_in_its_process_group_is_killed() {
    all_is_killed(&system::Plain, "sleep 600 & echo $! >> left;").await;
}

/// The worker, what this leaves behind, and what a subshell of it does.
async fn all_is_killed(system: &'static dyn System, leave: &str) {
    let script = format!("{leave} (sleep 600 & echo $! >> left); echo $$ >> left; wait");
    let bench = Bench::on(system, &script, Duration::ZERO).await;
    let left = bench.lines("left", 3).await;
    kill_process(pid(&left[2]), Signal::KILL).unwrap();
    for process in &left {
        eventually(async || test_kill_process(pid(process)).is_err().then_some(())).await;
    }
    bench.lines("left", 6).await;
    bench.stop().await;
}

#[tokio::test]
async fn what_left_the_session_of_a_dead_worker_is_killed_with_it() {
    // a command that made itself a daemon ran on beside its own next attempt
    let script = "(setsid sh -c 'echo $$ >> left; sleep 600' &); echo $$ >> up; sleep 600; :";
    let bench = Bench::new(script, Duration::ZERO).await;
    let (left, up) = (bench.lines("left", 1).await, bench.lines("up", 1).await);
    kill_process(pid(&up[0]), Signal::KILL).unwrap();
    eventually(async || test_kill_process(pid(&left[0])).is_err().then_some(())).await;
    bench.lines("left", 2).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_worker_that_ignores_the_request_to_stop_is_killed() {
    for system in [system::NATIVE, &system::Plain] {
        let script = "trap '' TERM; echo $$ >> up; while :; do sleep 0.05; done";
        let bench = Bench::on(system, script, Duration::ZERO).await;
        let up = bench.lines("up", 1).await;
        bench.stop().await;
        assert!(test_kill_process(pid(&up[0])).is_err());
    }
}

#[tokio::test]
async fn a_program_that_dies_at_each_start_is_parked_and_the_stop_does_not_wait_for_it() {
    let bench = Bench::new("echo x >> starts; exit 3", Duration::from_secs(600)).await;
    let mut health = bench.crew.health.clone();
    tokio::time::timeout(PATIENCE, health.wait_for(|health| health.all_parked)).await.unwrap().unwrap();
    assert_eq!(bench.lines("starts", 3).await.len(), 3);
    bench.stop().await;
}

#[tokio::test]
async fn workers_learn_by_a_closed_pipe_that_their_orchestrator_is_gone() {
    let script = "echo up >> said; read nothing < \"/dev/fd/$TASK_LIFELINE_FD\"; echo gone >> said";
    let bench = Bench::new(script, Duration::ZERO).await;
    bench.lines("said", 1).await;
    bench.crew.over.abort(); // as by a crash: nobody is told
    assert_eq!(bench.lines("said", 2).await[1], "gone");
}
