//! A folder with files in it, and a binary that is started there.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

pub(crate) const ORCHESTRATOR: &str = env!("CARGO_BIN_EXE_task-orchestrator");
pub(crate) const WORKER: &str = env!("CARGO_BIN_EXE_task-worker");

/// A folder of its own for a test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    pub(crate) fn program(self, name: &str, text: &str) -> Self {
        let this = self.file(name, text);
        fs::set_permissions(this.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        this
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, program: &str, line: &str) -> Command {
        let mut command = Command::new(program);
        command.args(line.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        for name in ["TASK_QUEUE", "REDIS_URL", "REDIS_HOST", "QUEUE_NAME", "LOG_LEVEL", "WORKER_ID"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(ORCHESTRATOR, line).output().unwrap())
    }

    /// Starts, to be told things later. Its stderr goes to a file: a pipe that nobody reads would stop it.
    pub(crate) fn start(&self, line: &str) -> Running {
        let mut command = self.command(ORCHESTRATOR, line);
        let log = tempfile::NamedTempFile::new_in(self.0.path()).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log.reopen().unwrap()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout, log }
    }
}

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) results: Vec<serde_json::Value>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let results = stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        Self {
            code: output.status.code(),
            results: results.collect(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The result of this task; there is exactly one.
    pub(crate) fn result(&self, id: &str) -> &serde_json::Value {
        let mut found = self.results.iter().filter(|result| result["id"] == id);
        let result = found.next().unwrap_or_else(|| panic!("no result of {id}; stderr:\n{}", self.stderr));
        assert!(found.next().is_none(), "{id} is printed twice");
        result
    }
}

/// A command that runs; killed if the test ends before it does.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: tempfile::NamedTempFile,
}

impl Running {
    /// The next result, waited for.
    pub(crate) fn next_result(&mut self) -> serde_json::Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no line of JSON; stderr:\n{}", self.stderr()))
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// What it has said so far.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// Waits for the end; the results are those that were not read yet.
    pub(crate) fn end(mut self) -> Ran {
        let mut stdout = Vec::new();
        self.stdout.read_to_end(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        Ran::of(Output { status, stdout, stderr: self.stderr().into_bytes() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
