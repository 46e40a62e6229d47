//! The server, its replica, and its disk.

use std::{
    fs,
    ops::{Deref, DerefMut, Range},
    path::PathBuf,
    time::Duration,
};

use chaos::now;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use task_testkit::RedisServer;
use tokio::time::{Instant, sleep};

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
        Self { server, args, replica: None, losses: Vec::new() }
    }

    /// It was killed at that time, and is back.
    pub(crate) fn may_have_lost(&mut self, killed: u64) {
        if !self.args.iter().any(|arg| arg == "always") {
            self.lost_since(killed.saturating_sub(KEPT_BACK.as_micros() as u64));
        }
    }

    /// The log that it appends to can't grow by more than a page any more.
    pub(crate) fn fill_disk(&self) {
        let folder =
            self.server.command(&["config", "get", "dir"]).lines().nth(1).map(PathBuf::from).unwrap();
        let files = fs::read_dir(folder.join("appendonlydir")).unwrap();
        let largest = files.map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
        self.limit_files(Some(largest + 4096));
    }

    /// There is room again. A server that promised to have everything on its disk has ended meanwhile, and is started again.
    pub(crate) fn free_disk(&mut self) {
        if self.server.is_running() {
            self.limit_files(None);
        } else {
            self.server.start_again();
        }
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
