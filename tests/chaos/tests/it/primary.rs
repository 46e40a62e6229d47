//! The server, its replica, and its disk.

use std::{
    fs,
    io::Write as _,
    ops::{Deref, DerefMut, Range},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use chaos::now;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use task_testkit::RedisServer;
use tokio::{
    task::block_in_place,
    time::{Instant, sleep},
};

use crate::{
    proxy::{Proxy, Weather},
    stage::PATIENCE,
    system,
};

/// How long after a loss a worker may begin what it was given before it, or what was given back since its end was lost.
const BEGUN_LATER: Duration = Duration::from_secs(6);
/// How much a server that syncs each second may keep back from its disk, with what it waits for a sync under way.
const KEPT_BACK: Duration = Duration::from_secs(3);

pub(crate) struct Primary {
    server: RedisServer,
    args: Vec<String>,
    /// Where its log is, since it was last seen alive.
    logs: PathBuf,
    /// With the proxy that it follows the server through.
    replica: Option<(RedisServer, Proxy)>,
    /// When it may have lost what it acknowledged.
    pub(crate) losses: Vec<Range<u64>>,
}

impl Primary {
    pub(crate) fn start(args: &[&str]) -> Self {
        system::survive_a_full_disk();
        let server = RedisServer::start(args);
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self { server, args, logs: PathBuf::new(), replica: None, losses: Vec::new() }
    }

    /// It was killed at that time, and is back.
    pub(crate) fn may_have_lost(&mut self, killed: u64) {
        if !self.args.iter().any(|arg| arg == "always") {
            self.lost_since(killed.saturating_sub(KEPT_BACK.as_micros() as u64));
        }
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.logs = self.log_folder();
        self.server.kill();
    }

    /// Starts it again, with its log mended first, as its operator does. A write that the crash cut off may leave half of a
    /// script's effects in the log. Redis 7.0 passes over them when it starts, leaves them where they are, and carries
    /// them out at the start after that.
    pub(crate) fn start_again(&mut self) {
        let manifest = self.logs.join("appendonly.aof.manifest");
        let mut check = Command::new("redis-check-aof");
        check.arg("--fix").arg(manifest).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut check = check.spawn().expect("redis-check-aof comes with redis-cli");
        check.stdin.take().expect("a pipe").write_all(b"y\n").ok(); // it asks only if there is something to mend
        let said = check.wait_with_output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
        self.server.start_again();
    }

    fn log_folder(&self) -> PathBuf {
        let folder = self.server.command(&["config", "get", "dir"]).lines().nth(1).map(PathBuf::from);
        folder.expect("a folder").join("appendonlydir")
    }

    /// The log that it appends to can't grow by more than a page any more.
    pub(crate) fn fill_disk(&mut self) {
        self.logs = self.log_folder();
        let files = fs::read_dir(&self.logs).unwrap();
        let largest = files.map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
        self.limit_files(Some(largest + 4096));
    }

    /// There is room again. A server that promised to have everything on its disk has ended meanwhile, and is started again.
    /// The log of one that went on is written anew, as its operator does: Redis 7.0 takes back what it wrote in part by the
    /// size that it believes its log to have, which is too large once that was written anew at a full synchronization. So
    /// zeros come into the middle of it, and all that is behind them is lost at the next start.
    pub(crate) async fn free_disk(&mut self) {
        if !self.server.is_running() {
            return block_in_place(|| self.start_again());
        }
        self.limit_files(None);
        let says = |words: &[&str]| {
            let state = self.server.command(&["info", "persistence"]);
            words.iter().all(|words| state.contains(words))
        };
        eventually("it writes to its disk again", || says(&["aof_last_write_status:ok"])).await;
        self.server.command(&["bgrewriteaof"]);
        let done = ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0", "aof_last_bgrewrite_status:ok"];
        eventually("its log is written anew", || says(&done)).await;
    }

    fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Pid::from_raw(self.server.pid() as i32), Resource::Fsize, limit).unwrap();
    }

    /// As its operator hands over to the replica, which loses nothing; answers with the port of the new primary.
    pub(crate) async fn fail_over(&mut self) -> u16 {
        let (replica, _link) = self.following().await;
        // it is told of under its own port, whatever way it follows
        self.server.command(&[
            "failover",
            "to",
            "127.0.0.1",
            &replica.port().to_string(),
            "timeout",
            "20000",
        ]);
        eventually("it takes over", || replica.command(&["info", "replication"]).contains("role:master"))
            .await;
        eventually("it hands over", || self.server.command(&["info", "replication"]).contains("role:slave"))
            .await;
        let old = std::mem::replace(&mut self.server, replica);
        self.replica = Some((old, Proxy::before(self.server.port()).await));
        self.server.port()
    }

    /// From now on, the replica hears nothing any more.
    pub(crate) async fn cut_replication(&mut self) {
        let (replica, link) = self.following().await;
        link.set(Weather::Silent);
        self.replica = Some((replica, link));
    }

    /// The server dies, and its replica, cut off since then, takes its place.
    pub(crate) fn promote(&mut self, cut_off: u64) {
        let (replica, _link) = self.replica.take().expect("it was cut off");
        self.server.kill();
        replica.command(&["replicaof", "no", "one"]);
        self.server = replica;
        self.lost_since(cut_off);
    }

    fn lost_since(&mut self, from: u64) {
        self.losses.push(from..now() + BEGUN_LATER.as_micros() as u64);
    }

    /// The replica, which has everything.
    async fn following(&mut self) -> (RedisServer, Proxy) {
        let (replica, link) = match self.replica.take() {
            Some(replica) => replica,
            None => {
                let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
                (RedisServer::start(&args), Proxy::before(self.server.port()).await)
            }
        };
        link.lead_to(self.server.port());
        replica.command(&["replicaof", "127.0.0.1", &link.port().to_string()]);
        eventually("it follows", || {
            let state = replica.command(&["info"]);
            // what comes is on its disk, too, once its log was written anew
            ["master_link_status:up", "aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"]
                .iter()
                .all(|line| state.contains(line))
        })
        .await;
        (replica, link)
    }
}

impl Deref for Primary {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.server
    }
}

impl DerefMut for Primary {
    fn deref_mut(&mut self) -> &mut RedisServer {
        &mut self.server
    }
}

async fn eventually(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < end, "it never came that {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
