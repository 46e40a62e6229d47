//! Command tasks run by a worker: real processes.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use task_core::{Failure, FailureKind, ResultError, TaskHandle, TaskQueue};
use task_queue_memory::MemoryQueue;
use task_worker::{TaskRegistry, TaskWorker, command::TaskFile};

const LONG: Duration = Duration::from_secs(30);

/// A worker with one command task, `t`, that is `sh -c SCRIPT` with more keys; it stops with the test.
struct Bench {
    queue: TaskQueue,
    folder: tempfile::TempDir,
    worker: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn new(command: &[&str], more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.toml");
        fs::write(&path, format!("[tasks.t]\nmax_retries = 0\ncommand = {command:?}\n{more}\n")).unwrap();
        Self::of(&path, folder)
    }

    fn of(path: &Path, folder: tempfile::TempDir) -> Self {
        let registry = TaskFile::load(path).unwrap().register(TaskRegistry::new());
        let queue = TaskQueue::new(MemoryQueue::new());
        let worker = TaskWorker::new(queue.clone(), registry);
        let worker = tokio::spawn(async move { worker.run_until(std::future::pending()).await.unwrap() });
        Self { queue, folder, worker }
    }

    fn sh(script: &str, more: &str) -> Self {
        Self::new(&["sh", "-c", script], more)
    }

    async fn enqueue(&self, params: Value) -> TaskHandle<Value> {
        self.queue.enqueue_named("t", &params).await.unwrap()
    }

    async fn run(&self, params: Value) -> Result<Value, ResultError> {
        self.enqueue(params).await.result(LONG).await
    }

    async fn failure(&self, params: Value) -> Failure {
        match self.run(params).await {
            Err(ResultError::Failed { failure, .. }) => failure,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

/// Waits for what a command writes into a file.
async fn content(path: &Path) -> String {
    let end = Instant::now() + LONG;
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ if Instant::now() > end => panic!("nothing was written to {}", path.display()),
            _ => tokio::task::yield_now().await,
        }
    }
}

async fn until_gone(pid: &str) {
    let end = Instant::now() + LONG;
    let alive = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while alive() {
        assert!(Instant::now() < end, "process {pid} lives on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn params_fill_arguments_whole_and_shell_characters_are_passed_as_they_are() {
    let bench = Bench::new(&["printf", "%s|%s", "{a}", "{b}"], "");
    let nasty = "$(touch x); `id` && rm -rf * \"'\n";
    assert_eq!(bench.run(json!({"a": nasty, "b": 7})).await.unwrap(), json!(format!("{nasty}|7")));
    let failure = bench.failure(json!({"a": "-n", "b": 1})).await;
    assert_eq!(failure.kind, FailureKind::Params);
    assert!(failure.message.contains("param `a` begins with `-`"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn params_arrive_as_json_on_stdin_and_json_comes_back() {
    let bench = Bench::new(&["cat"], "");
    let params = json!({"path": "a b", "list": [1, 2.5, null]});
    assert_eq!(bench.run(params.clone()).await.unwrap(), params);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_params_that_a_command_does_not_read_hold_nothing_up() {
    let bench = Bench::sh("echo done", "");
    assert_eq!(bench.run(json!({"large": "x".repeat(500_000)})).await.unwrap(), json!("done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn params_are_written_while_the_command_prints_so_that_neither_waits_for_the_other() {
    let params = json!({"large": "x".repeat(900_000)});
    assert_eq!(Bench::new(&["cat"], "").run(params.clone()).await.unwrap(), params);
}

#[tokio::test(flavor = "multi_thread")]
async fn program_and_folder_are_found_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("bin/say");
    fs::create_dir(folder.path().join("bin")).unwrap();
    fs::write(&script, "#!/bin/sh\npwd -P\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let here = fs::canonicalize(folder.path()).unwrap().display().to_string();
    for (more, expected) in [("", here.clone()), ("cwd = \"bin\"", format!("{here}/bin"))] {
        let path = folder.path().join("tasks.toml");
        fs::write(&path, format!("[tasks.t]\ncommand = [\"bin/say\"]\n{more}\n")).unwrap();
        let bench = Bench::of(&path, tempfile::tempdir().unwrap());
        assert_eq!(bench.run(json!({})).await.unwrap(), json!(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_gone_when_its_task_comes_is_a_failure_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("say");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("tasks.toml");
    fs::write(&path, "[tasks.t]\nmax_retries = 0\ncommand = [\"./say\"]\n").unwrap();
    let bench = Bench::of(&path, folder);
    fs::remove_file(script).unwrap();
    let failure = bench.failure(json!({})).await;
    assert!(failure.message.contains("say` can't be started: "), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_say_what_becomes_of_the_task_and_the_end_of_stderr_says_why() {
    let bench =
        Bench::sh("echo no such row >&2; exit $(cat | tr -dc 0-9)", "fatal_codes = [65]\nskip_codes = [9]");
    let failure = bench.failure(json!({"code": 3})).await;
    assert_eq!(failure, failure_of(FailureKind::Error, "exit code 3: no such row"));
    assert_eq!(
        bench.failure(json!({"code": 65})).await,
        failure_of(FailureKind::Fatal, "exit code 65: no such row")
    );
    let skipped = bench.run(json!({"code": 9})).await;
    assert!(matches!(skipped, Err(ResultError::Skipped { .. })), "{skipped:?}");
    assert_eq!(Bench::sh("kill -9 $$", "").failure(json!({})).await.message, "ended by signal 9");
}

fn failure_of(kind: FailureKind, message: &str) -> Failure {
    Failure::new(kind, message)
}

#[tokio::test(flavor = "multi_thread")]
async fn more_output_than_a_result_may_have_fails_and_ends_a_command_that_never_stops() {
    let failure = Bench::new(&["yes"], "").failure(json!({})).await;
    assert_eq!(failure.kind, FailureKind::Result);
    assert!(failure.message.contains("more than 1048576 bytes"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_small_and_never_has_the_url_of_the_queue() {
    // which of the worker's own variables are surely set is for cargo to say
    let bench =
        Bench::new(&["env"], "env = { MORE = \"1\" }\npass_env = [\"CARGO_PKG_NAME\", \"NOT_SET_ANYWHERE\"]");
    let handle = bench.enqueue(json!({})).await;
    let text = handle.result(LONG).await.unwrap();
    let mut names: Vec<&str> =
        text.as_str().unwrap().lines().filter_map(|line| line.split('=').next()).collect();
    names.retain(|name| !["HOME", "LANG", "TZ"].contains(name)); // where they are set
    names.sort_unstable();
    assert_eq!(names, ["CARGO_PKG_NAME", "MORE", "PATH", "TASK_ATTEMPT", "TASK_ID"]);
    assert!(text.as_str().unwrap().contains(&format!("TASK_ID={}", handle.id())));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_its_timeout_a_command_gets_term_and_what_ignores_it_is_killed_with_its_whole_group() {
    let script = "trap '' TERM; sleep 1000 & echo $! > child; echo $$ > leader; wait; wait";
    let bench = Bench::sh(script, "timeout = \"300ms\"\nkill_after = \"200ms\"");
    let handle = bench.enqueue(json!({})).await;
    let (child, leader) = (
        content(&bench.folder.path().join("child")).await,
        content(&bench.folder.path().join("leader")).await,
    );
    let Err(ResultError::Failed { failure, .. }) = handle.result(LONG).await else { panic!("it failed") };
    assert_eq!(failure.kind, FailureKind::Timeout);
    // the attempt is settled only once the process has ended
    assert!(fs::metadata(format!("/proc/{leader}")).is_err());
    until_gone(&child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_progress_reaches_whoever_looks_and_is_no_part_of_the_error() {
    let script =
        "echo before >&2; echo 'progress: 40% rows' >&2; while [ ! -e go ]; do sleep 0.05; done; exit 1";
    let bench = Bench::sh(script, "");
    let handle = bench.enqueue(json!({})).await;
    let end = Instant::now() + LONG;
    let progress = loop {
        assert!(Instant::now() < end, "no progress came");
        match handle.message().await.unwrap().unwrap().progress {
            Some(progress) => break progress,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!((progress.fraction, progress.note.as_str()), (0.4, "rows"));
    fs::write(bench.folder.path().join("go"), "").unwrap();
    match handle.result(LONG).await {
        Err(ResultError::Failed { failure, .. }) => assert_eq!(failure.message, "exit code 1: before"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_the_command_by_term() {
    let bench =
        Bench::sh("trap 'echo heard > heard; exit 0' TERM; echo > ready; while :; do sleep 0.05; done", "");
    let handle = bench.enqueue(json!({})).await;
    content(&bench.folder.path().join("ready")).await;
    let asked = Instant::now();
    handle.cancel().await.unwrap();
    assert!(matches!(handle.result(LONG).await, Err(ResultError::Cancelled { .. })));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(content(&bench.folder.path().join("heard")).await, "heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_leaves_in_its_group_ends_with_it_and_holds_nothing_up() {
    let bench = Bench::sh("sleep 1000 & echo $! > child; echo done", "");
    let begun = Instant::now();
    assert_eq!(bench.run(json!({})).await.unwrap(), json!("done"));
    assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
    until_gone(&content(&bench.folder.path().join("child")).await).await;
}
