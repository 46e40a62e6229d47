//! The processes that run the tasks: of each program a service under an orchestrator, and a worker without one.

use chaos::now;
use rustix::process::Signal;
use task_tests::Running;

use crate::{
    crew::{Crew, Part},
    system,
};

/// A process whose tasks may be taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Victim {
    pub(crate) pid: u32,
    /// When it was killed; `None` if it was stopped, and went on.
    pub(crate) killed: Option<u64>,
}

pub(crate) struct Fleet {
    pub(crate) crew: Crew,
    /// One of each part, in their order.
    services: Vec<Running>,
    lones: Vec<Running>,
    /// Those that were killed, with what they said.
    gone: Vec<Running>,
    pub(crate) victims: Vec<Victim>,
    /// Processes that inherit the commands of a worker that dies: orchestrators.
    pub(crate) heirs: Vec<u32>,
}

impl Fleet {
    pub(crate) fn start(crew: Crew) -> Self {
        let services = Part::ALL.map(|part| crew.service(part)).into();
        let lones = Part::ALL.map(|part| crew.lone(part)).into();
        let mut fleet = Self { crew, services, lones, gone: Vec::new(), victims: Vec::new(), heirs: vec![1] };
        fleet.heirs.extend(fleet.services.iter().map(Running::pid));
        fleet
    }

    /// The workers under an orchestrator.
    pub(crate) fn workers(&self) -> Vec<u32> {
        self.services.iter().flat_map(|service| system::children(service.pid())).collect()
    }

    pub(crate) fn lone_workers(&self) -> Vec<u32> {
        self.lones.iter().map(Running::pid).collect()
    }

    pub(crate) fn kill(&mut self, pid: u32) {
        system::kill(pid);
        self.victims.push(Victim { pid, killed: Some(now()) });
    }

    /// Every process, the orchestrators first.
    pub(crate) fn all(&self) -> Vec<u32> {
        let orchestrators = self.services.iter().map(Running::pid).collect();
        [orchestrators, self.workers(), self.lone_workers()].concat()
    }

    pub(crate) fn freeze(&mut self, pids: &[u32]) {
        self.victims.extend(pids.iter().map(|pid| Victim { pid: *pid, killed: None }));
        pids.iter().for_each(|pid| system::stop(*pid));
    }

    pub(crate) fn thaw(&self, pids: &[u32]) {
        pids.iter().for_each(|pid| system::go_on(*pid));
    }

    /// Kills an orchestrator alone, whose workers hear of it, and starts another.
    pub(crate) fn replace_service(&mut self, part: Part) {
        let new = self.crew.service(part);
        self.heirs.push(new.pid());
        let old = std::mem::replace(&mut self.services[part as usize], new);
        old.signal(Signal::KILL);
        self.gone.push(old);
    }

    fn renew_lone(&mut self, part: Part) -> Running {
        let new = self.crew.lone(part);
        std::mem::replace(&mut self.lones[part as usize], new)
    }

    pub(crate) fn kill_lone(&mut self, part: Part) -> u32 {
        let pid = self.lones[part as usize].pid();
        self.kill(pid);
        let old = self.renew_lone(part);
        self.gone.push(old);
        pid
    }

    /// Kills all at once, as if their machine were gone, and starts them again on another.
    pub(crate) fn kill_all(&mut self) -> Vec<u32> {
        let all = [self.workers(), self.lone_workers()].concat();
        for service in &self.services {
            system::stop(service.pid()); // it is gone before it can say that they are
        }
        all.iter().for_each(|pid| self.kill(*pid));
        for part in Part::ALL {
            self.replace_service(part);
            let old = self.renew_lone(part);
            self.gone.push(old);
        }
        all
    }

    /// Stops all as their operator does; answers with what they said.
    pub(crate) fn stop(self) -> Vec<(Option<i32>, String)> {
        let live = || self.services.iter().chain(&self.lones);
        live().for_each(|running| running.signal(Signal::TERM));
        // in this order: a killed orchestrator's output ends with its last worker
        let ended = self.services.into_iter().chain(self.lones).chain(self.gone).map(Running::end);
        ended.map(|ran| (ran.code, ran.stderr)).collect()
    }

    /// What everybody said that is worth a look, for whoever looks for the cause of a failure.
    pub(crate) fn log(&self) -> String {
        let all = self.gone.iter().chain(&self.services).chain(&self.lones);
        let text: Vec<String> = all.map(Running::stderr).collect();
        let telling = |line: &&str| {
            ["WARN", "ERROR", "panicked", "error:"].iter().any(|word| line.contains(word))
                && !line.contains("the attempt failed") // as tasks do that are made to
        };
        let lines: Vec<&str> = text.iter().flat_map(|text| text.lines().filter(telling)).collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}
