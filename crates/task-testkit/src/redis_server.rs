use std::{
    net::TcpListener,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// A redis-server of a test's own on a loopback port, without persistence unless it is told otherwise; killed, by its
/// process id, when it is dropped.
///
/// It needs `redis-server` in PATH, and panics without it: a missing server fails a test, and never skips it.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    args: Vec<String>,
    folder: tempfile::TempDir,
}

impl RedisServer {
    /// Starts one on a free port with these arguments of redis-server; another program may take the port first, then
    /// the next one is tried.
    ///
    /// # Panics
    /// If none gets ready.
    pub fn start(args: &[&str]) -> Self {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut said = String::new();
        for _ in 0..5 {
            let port = Self::free_port();
            let folder = tempfile::tempdir().expect("a folder");
            match launch(port, &args, &folder) {
                Ok(child) => return Self { child, port, args, folder },
                Err(log) => said = log,
            }
        }
        panic!("no redis-server got ready with {args:?}:\n{said}")
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether its process has not ended.
    ///
    /// # Panics
    /// If the system doesn't know.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// Its address, `127.0.0.1:PORT`, as a queue URL.
    pub fn url(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A loopback port on which nobody listened a moment ago.
    ///
    /// # Panics
    /// If there is none.
    pub fn free_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("its number").port()
    }

    /// Sends it a command by redis-cli, and answers the lines of the reply.
    ///
    /// # Panics
    /// If it is refused.
    pub fn command(&self, words: &[&str]) -> String {
        let sent = self.cli(words);
        let answer = String::from_utf8_lossy(&sent.stdout).trim_end().to_owned();
        assert!(
            sent.status.success(),
            "redis-cli {words:?}: {answer}{}",
            String::from_utf8_lossy(&sent.stderr)
        );
        answer
    }

    fn cli(&self, words: &[&str]) -> Output {
        let mut command = Command::new("redis-cli");
        command.args(["-e", "-p", &self.port.to_string()]).args(words);
        command.output().expect("redis-cli comes with redis-server")
    }

    /// Ends it as its operator does.
    ///
    /// # Panics
    /// If it does not run.
    pub fn stop(&mut self) {
        self.cli(&["shutdown"]); // it closes the connection in place of an answer
        self.child.wait().expect("it ended");
    }

    /// Ends it as a crash does.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("it ended");
    }

    /// Starts it again on the same port, with what it kept.
    ///
    /// # Panics
    /// If it does not get ready.
    pub fn start_again(&mut self) {
        let launched = launch(self.port, &self.args, &self.folder);
        self.child = launched.unwrap_or_else(|log| panic!("the server is not back on its port:\n{log}"));
    }
}

/// How long it may take to read what it kept, on a machine that does much else.
const READY: Duration = Duration::from_secs(60);

/// Starts one, or answers with what it said.
fn launch(port: u16, args: &[String], folder: &tempfile::TempDir) -> Result<Child, String> {
    let log = folder.path().join("log");
    std::fs::remove_file(&log).ok();
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder.path())
        .arg("--logfile")
        .arg(&log)
        .args(args)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed");
    let end = Instant::now() + READY;
    while Instant::now() < end && child.try_wait().expect("a child of ours").is_none() {
        if std::fs::read_to_string(&log).unwrap_or_default().contains("Ready to accept connections") {
            return Ok(child);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().ok();
    child.wait().ok();
    Err(std::fs::read_to_string(&log).unwrap_or_default())
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
