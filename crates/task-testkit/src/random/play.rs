//! Plays a script: each step on the backend and on the model, and looks round every few steps.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use task_core::{
    Capability, Command, Delivery, Filter, Incarnation, Lookup, Queue as _, Registration, ResultMessage,
    Settlement, TaskStatus,
};

use super::{
    compare::same,
    script::{IDS, NAMES, Step, WORKERS, Wish},
    views::Start,
};
use crate::{
    Harness,
    model::{Model, Space},
    stage::{QUEUE, id, options, task},
};

/// What all times in a script are whole numbers of. Longer than anything that a machine may take for a script, so that
/// the time that really passes changes nothing.
pub(super) const UNIT: Duration = Duration::from_secs(60);

/// What was done in scripts that were answered as by the model.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) steps: usize,
    /// Tasks that were taken in, and each reached a final state.
    pub(super) tasks: u64,
    pub(super) claims: u64,
    pub(super) settlements: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.tasks += other.tasks;
        self.claims += other.claims;
        self.settlements += other.settlements;
    }
}

/// Runs a script on a fresh backend, and looks at everything after each `every` steps.
///
/// # Errors
/// What differed, and where.
pub(super) async fn play<H: Harness>(script: &[Step], every: usize) -> Result<Tally, String> {
    let harness = H::open().await;
    let mut player = Player::new(&harness).await?;
    for (n, step) in script.iter().enumerate() {
        let at = |what| format!("at step {n}, {step:?}: {what}");
        player.turn(step).await.map_err(at)?;
        if n % every == every - 1 {
            player.look_round().await.map_err(at)?;
        }
    }
    player.drain().await.map_err(|what| format!("after the last step: {what}"))?;
    Ok(Tally { steps: script.len(), ..player.tally })
}

pub(super) struct Player<'h, H: Harness> {
    pub(super) harness: &'h H,
    pub(super) backend: &'h H::Queue,
    pub(super) model: Model,
    /// When the script began by the backend's clock, and by the model's.
    pub(super) starts: (Start, Start),
    pub(super) workers: Vec<Worker>,
    /// Workers that were given up, and may live after all.
    pub(super) zombies: Vec<Worker>,
    /// What workers were given and have not settled, lost ones too.
    pub(super) held: Vec<Arc<Delivery>>,
    /// What was carried out.
    pub(super) settled: Vec<Settlement>,
    /// Who was asked to run empty last, and still can be.
    pub(super) runs_empty: Option<Incarnation>,
    pub(super) tally: Tally,
}

/// A simulated worker, and its books about its claims.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) incarnation: Incarnation,
    pub(super) registration: Arc<Registration>,
    pub(super) newest: u64,
    pub(super) acked: u64,
    /// Numbers that were left out.
    pub(super) skipped: Vec<u64>,
    /// The commands up to this number have arrived.
    pub(super) told: u64,
    /// It was answered under this incarnation.
    pub(super) heard: bool,
}

impl Worker {
    fn nth(n: usize) -> Self {
        let known = [&NAMES[..1], &NAMES[..2], &NAMES[..2], &NAMES[..]][n % WORKERS];
        let names = known.iter().map(|name| name.parse().expect("a name"));
        let mut registration = Registration::new(format!("worker_{n}"), names);
        registration.lease = UNIT * [2, 5, 2, 9][n % WORKERS];
        Self::started(registration.into())
    }

    fn started(registration: Arc<Registration>) -> Self {
        let incarnation = Incarnation::new();
        Self { incarnation, registration, newest: 0, acked: 0, skipped: Vec::new(), told: 0, heard: false }
    }

    /// The same worker, started anew.
    pub(super) fn again(&self) -> Self {
        Self::started(self.registration.clone())
    }

    /// The same worker after it was told that it is closed.
    pub(super) fn next(&self) -> Self {
        let mut next = self.again();
        if self.heard {
            next.incarnation = self.incarnation.next();
        }
        next
    }
}

impl<'h, H: Harness> Player<'h, H> {
    async fn new(harness: &'h H) -> Result<Self, String> {
        let backend = harness.queue();
        let info = backend.info().await.map_err(|error| error.to_string())?;
        // the model has every capability, so a backend that lacks one would differ for that alone
        let missing: Vec<&str> =
            info.capabilities.missing().filter(is_visible).map(Capability::as_str).collect();
        if !missing.is_empty() {
            return Err(format!("random operations need what {} does not claim: {missing:?}", info.backend));
        }
        let mut player = Self {
            harness,
            backend,
            model: Model::new((usize::MAX, usize::MAX)),
            starts: Default::default(),
            workers: (0..WORKERS).map(Worker::nth).collect(),
            zombies: Vec::new(),
            held: Vec::new(),
            settled: Vec::new(),
            runs_empty: None,
            tally: Tally::default(),
        };
        // the first task tells what time it is there
        player.enqueue(vec![task("first", options())]).await?;
        let began = |found: Lookup| found.into_found().map(|record| Start(record.enqueued_at));
        let there = backend.result(&QUEUE, &id("first")).await.map_err(|error| error.to_string())?;
        let began = began(there).zip(began(player.space().lookup(&id("first"))));
        player.starts = began.ok_or("the first task is not found")?;
        Ok(player)
    }

    pub(super) fn space(&mut self) -> &mut Space {
        self.model.space(&QUEUE)
    }

    /// Everything that can be seen.
    pub(super) async fn look_round(&mut self) -> Result<(), String> {
        self.stats().await?;
        let listed = self.list(None, None).await?;
        for n in 0..IDS {
            let name = format!("t{n}");
            let found = self.backend.result(&QUEUE, &id(&name)).await.map_err(|error| error.to_string())?;
            let expected = self.space().lookup(&id(&name));
            same(&format!("task {name}"), &self.starts.0.lookup(&found), &self.starts.1.lookup(&expected))?;
            if let Lookup::Found(record) = found {
                is_sound(&record)?;
                let in_list = listed.get(name.as_str()).map(|record| self.starts.0.record(record));
                same(&format!("task {name} in the list"), &in_list, &Some(self.starts.0.record(&record)))?;
            }
        }
        Ok(())
    }

    pub(super) async fn stats(&mut self) -> Result<(), String> {
        let stats = self.backend.stats(&QUEUE).await.map_err(|error| error.to_string())?;
        let expected = self.space().stats();
        same("stats", &self.starts.0.stats(&stats), &self.starts.1.stats(&expected))
    }

    /// All pages of a list, which must have what the model has, in whatever order.
    pub(super) async fn list(
        &mut self,
        status: Option<TaskStatus>,
        name: Option<usize>,
    ) -> Result<BTreeMap<String, ResultMessage>, String> {
        let mut filter = Filter::new(3);
        (filter.status, filter.name) = (status, name.map(|name| NAMES[name].parse().expect("a name")));
        let mut listed = BTreeMap::new();
        loop {
            let page = self.backend.list(&QUEUE, filter.clone()).await.map_err(|error| error.to_string())?;
            for record in page.tasks {
                if let Some(twice) = listed.insert(record.id.to_string(), record) {
                    return Err(format!("task {} is listed twice", twice.id));
                }
            }
            filter.cursor = page.next;
            if filter.cursor.is_none() {
                break;
            }
        }
        (filter.limit, filter.cursor) = (1000, None);
        let expected = self.space().list(&filter).map_err(|error| error.to_string())?.tasks;
        let plain = |start: Start, record: &ResultMessage| (record.id.to_string(), start.record(record));
        let expected: BTreeMap<_, _> = expected.iter().map(|record| plain(self.starts.1, record)).collect();
        let found: BTreeMap<_, _> = listed.values().map(|record| plain(self.starts.0, record)).collect();
        same("list", &found, &expected)?;
        Ok(listed)
    }

    /// One worker that knows every name runs all that is left: each task reaches one final state.
    async fn drain(&mut self) -> Result<(), String> {
        self.control(Command::Resume).await?;
        self.control(Command::Limit(None)).await?;
        for round in 0.. {
            // in the place of the last worker, whose lease is the longest
            let wish =
                Wish { worker: WORKERS - 1, max: 5, idle: true, acks: true, skips: false, narrow: false };
            self.turn(&Step::Claim(wish)).await?;
            let mine = self.workers[WORKERS - 1].incarnation;
            let held: Vec<_> = self.held.iter().filter(|d| d.token.worker == mine).cloned().collect();
            for delivery in held {
                self.settle(vec![Settlement::new(delivery, super::turn::completed(0))], None).await?;
            }
            if self.space().stats().live() == 0 {
                break;
            }
            if round > 100 {
                return Err("some tasks never end".into());
            }
            self.turn(&Step::Advance(1)).await?;
        }
        self.look_round().await?;
        let stats = self.backend.stats(&QUEUE).await.map_err(|error| error.to_string())?;
        let totals = stats.totals;
        self.tally.tasks = totals.enqueued;
        let ended = totals.completed + totals.failed + totals.skipped + totals.cancelled + totals.expired;
        same("tasks that ended, of those that began", &ended, &(totals.enqueued + totals.replayed))
    }
}

/// What the model has, whether it claims it or not.
fn is_visible(capability: &Capability) -> bool {
    !matches!(capability, Capability::Push | Capability::Explain)
}

/// What holds of every record, whatever the model says.
fn is_sound(record: &ResultMessage) -> Result<(), String> {
    let is = |status| record.status == status;
    let ended = record.failures + record.crashes;
    let holds = [
        (record.status.is_final() == record.finished_at.is_some(), "a time of its end if it is final"),
        (is(TaskStatus::Completed) == record.result.is_some(), "a result if it COMPLETED"),
        (!is(TaskStatus::Retry) || record.due_at.is_some(), "a due time if it is in RETRY"),
        (!is(TaskStatus::Retry) || record.failures > 0, "a failure if it is in RETRY"),
        (!is(TaskStatus::Running) || record.attempts > 0, "an attempt if it is RUNNING"),
        (is(TaskStatus::Running) || !record.cancel_requested, "a wish to cancel only while it is RUNNING"),
        (ended <= record.attempts, "no more failures and crashes than attempts"),
    ];
    match holds.into_iter().find(|(holds, _)| !holds) {
        Some((_, what)) => Err(format!("a task has {what}, and this one: {record:?}")),
        None => Ok(()),
    }
}
