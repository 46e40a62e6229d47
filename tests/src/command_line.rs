//! A folder with files in it, and a binary that is started there.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

/// A folder of its own for a test, and the program that is started there.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
    program: &'static str,
}

impl Folder {
    /// An empty one; the program is a path that `CARGO_BIN_EXE_…` names.
    #[must_use]
    pub fn new(program: &'static str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), program }
    }

    /// With this file.
    #[must_use]
    pub fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    /// With this executable.
    #[must_use]
    pub fn program(self, name: &str, text: &str) -> Self {
        let this = self.file(name, text);
        fs::set_permissions(this.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        this
    }

    /// Where a file of the folder is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with these arguments, and an environment that says nothing of queues and workers.
    pub fn command(&self, line: &str) -> Command {
        self.command_of(self.program, line)
    }

    /// Another program.
    pub fn command_of(&self, program: &str, line: &str) -> Command {
        let mut command = Command::new(program);
        command.args(line.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["TASK_QUEUE", "REDIS_URL", "REDIS_HOST", "QUEUE_NAME", "LOG_LEVEL", "WORKER_ID"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs to the end.
    pub fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(line).output().unwrap())
    }

    /// Starts, to be told things later. Its stderr goes to a file: a pipe that nobody reads would stop it.
    pub fn start(&self, line: &str) -> Running {
        self.start_of(self.program, line)
    }

    /// The same of another program.
    pub fn start_of(&self, program: &str, line: &str) -> Running {
        self.spawn(self.command_of(program, line))
    }

    /// The same of a command that was told more.
    pub fn spawn(&self, mut command: Command) -> Running {
        let log = NamedTempFile::new_in(self.folder.path()).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log.reopen().unwrap()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout, log }
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The lines of its stdout.
    pub results: Vec<Value>,
    /// What it said.
    pub stderr: String,
}

impl Ran {
    /// Of what it left; each line of stdout is a line of JSON.
    pub fn of(output: Output) -> Self {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let results = stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"));
        Self {
            code: output.status.code(),
            results: results.collect(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The result of this task; there is exactly one.
    pub fn result(&self, id: &str) -> &Value {
        let mut found = self.results.iter().filter(|result| result["id"] == id);
        let result = found.next().unwrap_or_else(|| panic!("no result of {id}; stderr:\n{}", self.stderr));
        assert!(found.next().is_none(), "{id} is printed twice");
        result
    }
}

/// A command that runs; killed if the test ends before it does.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: NamedTempFile,
}

impl Running {
    /// The next result, waited for.
    pub fn next_result(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no line of JSON; stderr:\n{}", self.stderr()))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// What it has said so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// Waits for the end; the results are those that were not read yet.
    pub fn end(mut self) -> Ran {
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
