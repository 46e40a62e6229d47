//! The processes that run the tasks: a service of two workers under an orchestrator, and a worker without one.

use std::{fs, path::PathBuf};

use rustix::process::Signal;
use task_tests::{Folder, Running};

use crate::system;

/// What the tasks note their runs in.
const LEDGER: &str = "ledger";

pub(crate) struct Fleet {
    folder: Folder,
    url: String,
    service: Running,
    lone: Running,
    /// Those that were killed, with what they said.
    gone: Vec<Running>,
    /// Processes that died, or were frozen, so that their tasks may be taken from them.
    pub(crate) victims: Vec<u32>,
}

impl Fleet {
    pub(crate) fn start(url: &str) -> Self {
        let folder = Folder::new(env!("CARGO_BIN_EXE_chaos-tasks"));
        fs::write(folder.path(LEDGER), "").unwrap();
        let (service, lone) = (service(&folder, url), lone(&folder, url));
        Self { folder, url: url.to_owned(), service, lone, gone: Vec::new(), victims: Vec::new() }
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path(LEDGER)
    }

    /// The workers under the orchestrator.
    pub(crate) fn workers(&self) -> Vec<u32> {
        system::children(self.service.pid())
    }

    pub(crate) fn lone_worker(&self) -> u32 {
        self.lone.pid()
    }

    pub(crate) fn kill(&mut self, pid: u32) {
        self.victims.push(pid);
        system::kill(pid);
    }

    /// Every process, the orchestrator first.
    pub(crate) fn all(&self) -> Vec<u32> {
        [vec![self.service.pid()], self.workers(), vec![self.lone.pid()]].concat()
    }

    pub(crate) fn freeze(&mut self, pids: &[u32]) {
        self.victims.extend(pids);
        pids.iter().for_each(|pid| system::stop(*pid));
    }

    pub(crate) fn thaw(&self, pids: &[u32]) {
        pids.iter().for_each(|pid| system::go_on(*pid));
    }

    /// Kills the orchestrator alone, whose workers hear of it, and starts another.
    pub(crate) fn replace_service(&mut self) {
        let new = service(&self.folder, &self.url);
        let old = std::mem::replace(&mut self.service, new);
        old.signal(Signal::KILL);
        self.gone.push(old);
    }

    pub(crate) fn kill_lone(&mut self) -> u32 {
        let pid = self.lone.pid();
        self.kill(pid);
        let new = lone(&self.folder, &self.url);
        self.gone.push(std::mem::replace(&mut self.lone, new));
        pid
    }

    /// Kills all at once, as if their machine were gone, and starts them again on another.
    pub(crate) fn kill_all(&mut self) -> Vec<u32> {
        let mut all = self.workers();
        system::stop(self.service.pid()); // it is gone before it can say that they are
        all.push(self.lone.pid());
        all.iter().for_each(|pid| self.kill(*pid));
        self.replace_service();
        self.gone.push(std::mem::replace(&mut self.lone, lone(&self.folder, &self.url)));
        all
    }

    /// Stops all as their operator does; answers with what they said.
    pub(crate) fn stop(self) -> Vec<(Option<i32>, String)> {
        self.service.signal(Signal::TERM);
        self.lone.signal(Signal::TERM);
        // in this order: a killed orchestrator's output ends with its last worker
        let ended = [self.service, self.lone].into_iter().chain(self.gone).map(Running::end);
        ended.map(|ran| (ran.code, ran.stderr)).collect()
    }

    /// What everybody said that is worth a look, for whoever looks for the cause of a failure.
    pub(crate) fn log(&self) -> String {
        let all = self.gone.iter().chain([&self.service, &self.lone]);
        let text: Vec<String> = all.map(|running| running.stderr()).collect();
        let telling = |line: &&str| {
            ["WARN", "ERROR", "panicked", "error:"].iter().any(|word| line.contains(word))
                && !line.contains("the attempt failed") // as tasks do that are made to
        };
        let lines: Vec<&str> = text.iter().flat_map(|text| text.lines().filter(telling)).collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

fn service(folder: &Folder, url: &str) -> Running {
    folder.start(&format!("-n 2 -c 8 --no-monitoring -q {url} --grace 2s"))
}

fn lone(folder: &Folder, url: &str) -> Running {
    let mut command = folder.command("");
    command.env("TASK_ROLE", "worker").env("TASK_QUEUE", url).env("TASK_CONCURRENCY", "8");
    command.env("TASK_GRACE", "2s").env("WORKER_ID", "lone");
    folder.spawn(command)
}
