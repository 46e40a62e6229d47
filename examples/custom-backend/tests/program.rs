//! The program as people start it.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

const JOBS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/jobs.jsonl");

fn program(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custom-backend"));
    command.args(["-q", &format!("file://{}/queue", folder.display()), "--no-monitoring"]);
    command.args(line.split(' ').filter(|word| !word.is_empty())).current_dir(folder);
    command
}

fn run(folder: &Path, line: &str) -> Output {
    program(folder, line).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Ended with the test.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Its next results.
    fn results(&mut self, number: usize) -> Vec<Value> {
        let lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines().take(number);
        lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What is the same each time.
fn essence(mut result: Value) -> Value {
    let fields = result.as_object_mut().unwrap();
    fields.retain(|field, _| !field.ends_with("_at") && field != "worker");
    result
}

fn sorted(mut results: Vec<Value>) -> Vec<Value> {
    results.sort_by_key(|result| result["id"].to_string());
    results
}

/// What README.md says that the program says, the first and the second time.
fn promised() -> Vec<Vec<Value>> {
    let readme = std::fs::read_to_string("README.md").unwrap();
    let block = readme.split("```text\n").find(|block| block.starts_with("$ cargo run")).unwrap();
    let runs = block.split("```").next().unwrap().split("$ cargo run").skip(1);
    runs.map(|run| {
        let lines = run.lines().filter(|line| line.starts_with('{'));
        sorted(lines.map(|line| essence(serde_json::from_str(line).unwrap())).collect())
    })
    .collect()
}

#[test]
fn a_batch_that_was_killed_goes_on_where_it_was_as_the_readme_shows() {
    let folder = tempfile::tempdir().unwrap();
    let batch = format!("--input {JOBS} --drain");
    let mut first = Running::start(program(folder.path(), &batch));
    let before = sorted(first.results(2));
    first.kill();
    let output = run(folder.path(), &batch);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let after = sorted(lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect());
    assert_eq!(before, after[..2], "what has ended is not run again");
    let essence = |results: Vec<Value>| results.into_iter().map(essence).collect::<Vec<_>>();
    assert_eq!(promised(), [essence(before), essence(after)]);
}

#[test]
fn what_a_killed_batch_left_is_finished_by_a_drain_without_any_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Running::start(program(folder.path(), &format!("--input {JOBS} --drain")));
    first.results(2);
    first.kill();
    let output = run(folder.path(), "--drain");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stdout.is_empty(), "without input it prints no results");
    let output = run(folder.path(), &format!("--input {JOBS} --drain"));
    let lines = String::from_utf8(output.stdout).unwrap();
    let results = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let ended: Vec<_> =
        results.map(|result| (result["attempts"].clone(), result["status"].clone())).collect();
    assert!(ended.contains(&(2.into(), "COMPLETED".into())), "the drain ran it again: {ended:?}");
    assert_eq!(ended.len(), 3, "{ended:?}");
}

#[test]
fn a_service_that_nobody_could_give_tasks_is_told_what_would_give_it_some() {
    let output = run(tempfile::tempdir().unwrap().path(), "");
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    assert!(said.contains("--input FILE, finish what an earlier process left in it with --drain"), "{said}");
}

#[test]
fn a_second_process_is_told_who_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = program(folder.path(), &format!("--input {JOBS} --drain"));
    let mut holder = Running::start({
        holder.arg("--log-level").arg("ERROR");
        holder
    });
    holder.results(1);
    let output = run(folder.path(), &format!("--input {JOBS} --drain --connect-timeout 0.1"));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let process = format!("queue/lock is held by process {}", holder.0.id());
    assert!(said(&output).contains(&process), "{}", said(&output));
}

#[test]
fn processes_that_would_have_to_share_the_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("worker.py"), "").unwrap();
    let output = run(folder.path(), &format!("--input {JOBS} --drain ./worker.py"));
    assert_eq!(output.status.code(), Some(2));
    let said = said(&output);
    assert!(said.contains("/queue` lives in this process, and a worker `./worker.py`"), "{said}");
    assert!(said.contains("without a program the tasks of this one run"), "{said}");
}

#[test]
fn a_url_without_a_whole_path_is_told_as_it_is_to_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_custom-backend"));
    let output = command.args(["-q", "file:queue", "--input", JOBS, "--drain", "--no-monitoring"]);
    let output = output.current_dir(folder.path()).output().unwrap();
    assert!(said(&output).contains("file:///var/lib/app/queue"), "{}", said(&output));
    assert!(!output.status.success());
}

#[test]
fn a_url_of_nobody_is_told_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_custom-backend"));
    let output = command.args(["-q", "amqp://host", "--drain"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("file:///FOLDER"), "{}", said(&output));
}
