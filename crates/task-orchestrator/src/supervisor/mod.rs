//! Keeps worker processes alive: what happens becomes an [`Event`], [`plan`] decides, and this acts.
//!
//! A worker that dies is seen at once by a thread that waits for it. Then, in this order: what it left behind is killed, it is reaped,
//! its incarnation is released in each named queue (in the background, until the queue answers), and its seat is filled
//! again after the backoff.

mod child;
mod lifeline;
mod notify;
mod plan;
mod release;
mod system;

use std::{
    collections::HashMap, ffi::OsString, io, os::unix::process::ExitStatusExt as _, sync::Arc, time::Duration,
};

use rustix::process::Signal;
use task_core::TaskQueue;
use task_monitor::Observations;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    time::Instant,
};

use self::{
    child::{Child, Launch},
    lifeline::Lifeline,
    notify::Ear,
    plan::{Action, Event, Limits, Notice, Plan, Start},
    release::Releases,
    system::System,
};
use crate::{
    crew::{Command, Health},
    settings::{Program, Settings, redis_parts},
};

/// What a worker needs beyond its own grace to give back what it did not finish: it tries for three seconds. With the
/// default grace all of it is less than the thirty seconds after which Kubernetes kills.
const GRACE_MARGIN: Duration = Duration::from_secs(4);

/// The workers of one orchestrator.
pub(crate) struct Supervisor {
    plan: Plan,
    children: HashMap<Start, Child>,
    launch: Launch,
    releases: Releases,
    observations: Arc<Observations>,
    /// Why the last worker of a seat ended, until that is told.
    ends: HashMap<usize, &'static str>,
    /// Why seats are to be filled again, until they are.
    restarts: HashMap<usize, &'static str>,
    events: mpsc::Sender<Event>,
    happened: mpsc::Receiver<Event>,
    /// Where the sockets of the notify protocol are.
    folder: tempfile::TempDir,
    _lifeline: Lifeline,
}

impl Supervisor {
    /// Nothing is started yet. From now on this process inherits the orphans of its descendants.
    pub(crate) fn new(
        settings: &Settings,
        queue: TaskQueue,
        observations: Arc<Observations>,
    ) -> io::Result<Self> {
        Self::on(system::NATIVE, settings, queue, observations)
    }

    fn on(
        system: &'static dyn System,
        settings: &Settings,
        queue: TaskQueue,
        observations: Arc<Observations>,
    ) -> io::Result<Self> {
        system.adopt_orphans()?;
        let lifeline = Lifeline::new()?;
        let (events, happened) = mpsc::channel(1024);
        let limits = Limits {
            max_restarts: settings.max_restarts,
            ready: settings.ready_timeout,
            silence: settings.timeout,
            grace: settings.worker.grace + GRACE_MARGIN,
            speaks: matches!(settings.program, Program::BuiltIn { .. }),
        };
        let names = settings.worker.queues.iter().map(|(name, _)| name.clone()).collect();
        let seats = settings.workers as usize;
        Ok(Self {
            plan: Plan::new(seats, limits, fastrand::u64(..), Instant::now().into_std()),
            children: HashMap::new(),
            launch: launch(system, settings, &lifeline)?,
            releases: Releases::new(queue, names, events.clone()),
            observations,
            ends: HashMap::new(),
            restarts: HashMap::new(),
            events,
            happened,
            folder: tempfile::Builder::new().prefix("task-").tempdir()?,
            _lifeline: lifeline,
        })
    }

    /// Supervises until it was told to stop and all workers have ended.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        health: watch::Sender<Health>,
    ) -> io::Result<()> {
        let mut child_signal = signal(SignalKind::child())?;
        let mut event = Event::Tick;
        loop {
            for action in self.plan.decide(event, Instant::now().into_std()) {
                self.act(action);
            }
            let parked = self.plan.all_parked();
            health.send_replace(Health { alive: self.plan.alive(), all_parked: parked });
            if self.plan.is_over() {
                break;
            }
            let deadline = self
                .plan
                .next_deadline()
                .map_or_else(|| Instant::now() + Duration::from_secs(3600), Instant::from_std);
            // each branch is safe to lose: channels keep what was not received, a signal that came is kept, and the
            // deadline is computed anew
            event = tokio::select! {
                Some(event) = self.happened.recv() => event,
                command = commands.recv() => match command {
                    Some(Command::Reload) => Event::Reload,
                    Some(Command::StopNow) => Event::StopNow,
                    Some(Command::Stop) | None => Event::Stop,
                },
                _ = child_signal.recv() => {
                    self.reap_orphans();
                    Event::Tick
                }
                () = tokio::time::sleep_until(deadline) => Event::Tick,
            };
        }
        self.releases.finish(Duration::from_secs(5)).await;
        Ok(())
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { seat, start } => self.start(seat, start),
            Action::Term(start) => self.signal(start, Signal::TERM),
            Action::Kill(start) => self.signal(start, Signal::KILL),
            Action::Release(start) => self.bury(start),
            Action::Say(seat, notice) => self.say(seat, notice),
        }
    }

    fn start(&mut self, seat: usize, start: Start) {
        let label = label(seat);
        let socket = self.folder.path().join(start.to_string());
        if let Some(why) = self.restarts.remove(&seat) {
            self.observations.restarted(why);
        }
        let ear = Ear { events: self.events.clone(), observations: self.observations.clone() };
        match Child::spawn(&self.launch, seat, start, socket, ear) {
            Ok(child) => {
                tracing::info!(worker = %label, pid = child.pid().as_raw_pid(), "started");
                self.children.insert(start, child);
            }
            Err(error) => {
                tracing::error!(%error, worker = %label, program = %self.launch.program.display(), "can't start");
                let events = self.events.clone();
                tokio::spawn(async move { events.send(Event::Exited(start)).await });
            }
        }
    }

    fn signal(&self, start: Start, signal: Signal) {
        if let Some(child) = self.children.get(&start) {
            child.signal(signal);
        }
    }

    fn bury(&mut self, start: Start) {
        let Some(child) = self.children.remove(&start) else { return };
        let (seat, label, incarnation) = (child.seat, label(child.seat), child.incarnation);
        match child.bury() {
            Ok(status) => {
                if status.success() {
                    tracing::info!(worker = %label, %status, "ended");
                } else {
                    tracing::warn!(worker = %label, %status, "ended");
                }
                let why = if status.signal().is_some() { "killed" } else { "exited" };
                // why we stopped it says more than how it then ended
                if !matches!(self.ends.get(&seat), Some(&("silent" | "not ready"))) {
                    self.ends.insert(seat, why);
                }
            }
            Err(error) => tracing::error!(worker = %label, %error, "can't reap"),
        }
        self.reap_orphans();
        self.releases.begin(start, label, incarnation);
    }

    fn reap_orphans(&self) {
        let is_worker = |pid| self.children.values().any(|child| child.pid() == pid);
        self.launch.system.reap_orphans(&is_worker);
    }

    fn say(&mut self, seat: usize, notice: Notice) {
        match notice {
            Notice::Silent => drop(self.ends.insert(seat, "silent")),
            Notice::NotReady => drop(self.ends.insert(seat, "not ready")),
            // one that is parked is not started again yet
            Notice::Restarts(_) | Notice::Parked => {
                self.restarts.insert(seat, self.ends.remove(&seat).unwrap_or("exited"));
            }
            Notice::TakenOver => self.observations.restarted(self.ends.remove(&seat).unwrap_or("exited")),
            Notice::Stubborn | Notice::ReloadFailed => {}
        }
        tell(&label(seat), notice);
    }
}

/// What people know the worker of a seat by.
fn label(seat: usize) -> String {
    format!("worker_{}", seat + 1)
}

fn tell(worker: &str, notice: Notice) {
    match notice {
        Notice::Restarts(after) => {
            tracing::warn!(%worker, after = %task_core::format_duration(after), "restarts");
        }
        Notice::TakenOver => {
            tracing::warn!(%worker, "ended before its successor was ready, which takes over");
        }
        Notice::Parked => {
            tracing::error!(%worker, "parked: its starts come to nothing; tried again in a minute");
        }
        Notice::NotReady => tracing::warn!(%worker, "not ready in time (--ready-timeout): stopped"),
        Notice::Silent => tracing::warn!(%worker, "silent for too long (--timeout): stopped"),
        Notice::Stubborn => tracing::warn!(%worker, "did not stop within its grace: killed"),
        Notice::ReloadFailed => {
            tracing::error!(%worker, "the rolling restart is given up: the new worker ended; the old ones stay");
        }
    }
}

/// Everything that the starts have in common. The queue's URL, which may hold a password, travels in the environment
/// only.
fn launch(system: &'static dyn System, settings: &Settings, lifeline: &Lifeline) -> io::Result<Launch> {
    let queues = settings.worker.queues.iter().map(|(name, weight)| format!("{name}={weight}"));
    let mut env: Vec<(&'static str, OsString)> = vec![
        ("TASK_ROLE", "worker".into()),
        ("TASK_QUEUE", settings.url.clone().into()),
        ("QUEUE_NAME", queues.collect::<Vec<_>>().join(",").into()),
        ("LOG_LEVEL", log_level(settings).into()),
        ("TASK_GRACE", task_core::format_duration(settings.worker.grace).into()),
        ("TASK_LIFELINE_FD", lifeline.number().to_string().into()),
        ("WATCHDOG_USEC", settings.timeout.as_micros().to_string().into()),
    ];
    if settings.drain {
        env.push(("TASK_CLOSED_SET", "1".into()));
    }
    if let Some((url, host)) = redis_parts(&settings.url) {
        env.push(("REDIS_URL", url.into()));
        if let Some((host, port)) = host {
            env.extend([("REDIS_HOST", host.into()), ("REDIS_PORT", port.into())]);
        }
    }
    if settings.logs.json {
        env.push(("LOG_FORMAT", "json".into()));
    }
    if let Some(concurrency) = settings.worker.concurrency {
        env.push(("TASK_CONCURRENCY", concurrency.to_string().into()));
    }
    if let Some(retries) = settings.worker.max_retries {
        env.push(("TASK_MAX_RETRIES", retries.to_string().into()));
    }
    let (program, args) = match &settings.program {
        Program::Other { path, args, .. } => (path.clone(), args.clone()),
        Program::BuiltIn { tasks } => {
            // a path need not be UTF-8
            env.push(("TASK_FILE", tasks.as_ref().map(Into::into).unwrap_or_default()));
            (std::env::current_exe()?, Vec::new())
        }
    };
    Ok(Launch { system, program, args, env })
}

fn log_level(settings: &Settings) -> String {
    match settings.logs.level.to_string().as_str() {
        "warn" => "WARNING".into(),
        other => other.to_ascii_uppercase(),
    }
}

#[cfg(test)]
mod tests;
