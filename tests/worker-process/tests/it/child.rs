use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixDatagram,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A worker that runs; killed with the test.
pub(crate) struct Worker {
    child: Child,
    stdin: ChildStdin,
    said: Receiver<String>,
    logged: Receiver<String>,
}

/// How a worker ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// What it said that was not waited for.
    pub(crate) said: Vec<String>,
    /// Its log.
    pub(crate) logged: String,
}

impl Worker {
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker-process"));
        let set = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "QUEUE_NAME", "WORKER_ID"];
        for variable in set {
            command.env_remove(variable);
        }
        command.envs(variables.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let (said, logged) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, stdin, said, logged }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").unwrap();
    }

    /// The next line that it says.
    pub(crate) fn says(&self) -> String {
        self.said.recv_timeout(SOON).expect("it says something in time")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // it is not reaped before `end`, so the number is its own
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let end = Instant::now() + SOON;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > end => panic!("it does not end"),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let logged: Vec<String> = self.logged.iter().collect();
        Ended { code: status.code(), said: self.said.iter().collect(), logged: logged.join("\n") }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// A NOTIFY_SOCKET.
pub(crate) struct Ear {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Ear {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    pub(crate) fn path(&self) -> String {
        self.folder.path().join("notify").display().to_string()
    }

    /// The next words, without signs of life; nothing if none come within this time.
    pub(crate) fn words_within(&self, time: Duration) -> Option<Vec<String>> {
        loop {
            let words = self.any_within(time)?;
            if words != ["WATCHDOG=1"] {
                return Some(words);
            }
        }
    }

    pub(crate) fn words(&self) -> Vec<String> {
        self.words_within(SOON).expect("it says something in time")
    }

    pub(crate) fn any_within(&self, time: Duration) -> Option<Vec<String>> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        Some(text.lines().map(str::to_owned).collect())
    }
}
