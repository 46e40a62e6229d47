//! Plays a plan: an app, its workers, their networks and whoever operates them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use task_core::{Command, Queue as _, TaskId, TaskQueue};
use task_testkit::{Hostile, Mishap};
use task_worker::TaskContext;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    ledger::{Flaw, Ledger, queue},
    plan::{Act, BUSY, End, Event, NAMES, NewTask, Plan, WorkerPlan},
    worker::{Order, Place, network},
};

/// How long what is left may take once nothing goes wrong any more: longer than a name may be unknown.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

pub(crate) struct World {
    pub(crate) ledger: Ledger,
    tasks: BTreeMap<TaskId, NewTask>,
    /// Nothing goes wrong any more.
    calm: AtomicBool,
    notes: Mutex<Notes>,
}

/// What is seen from outside of the queue.
#[derive(Default)]
pub(crate) struct Notes {
    /// Ids whose enqueue was answered.
    pub(crate) acknowledged: Vec<TaskId>,
    pub(crate) runs: Vec<Seen>,
    /// Parent, its attempt, child.
    pub(crate) follow_ups: Vec<(TaskId, u32, TaskId)>,
}

/// One run of a task's code.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: TaskId,
    pub(crate) attempt: u32,
    /// In which start of which worker.
    pub(crate) who: (usize, u32),
    pub(crate) from: Duration,
    pub(crate) until: Option<Duration>,
}

/// A run that goes on; it has ended when this is dropped.
pub(crate) struct Run<'w> {
    world: &'w World,
    place: usize,
}

impl<'w> Run<'w> {
    pub(crate) fn begins(world: &'w World, ctx: &TaskContext, who: (usize, u32)) -> Self {
        let mut notes = world.notes();
        let (id, attempt) = (ctx.id().clone(), ctx.attempt());
        notes.runs.push(Seen { id, attempt, who, from: world.ledger.now(), until: None });
        Self { world, place: notes.runs.len() - 1 }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.world.notes().runs[self.place].until = Some(self.world.ledger.now());
    }
}

impl World {
    fn new(plan: &Plan, flaw: Option<Flaw>) -> Self {
        let enqueued = plan.events.iter().filter_map(|(_, event)| match event {
            Event::Enqueue(tasks) => Some(tasks),
            _ => None,
        });
        let tasks = enqueued.flatten().map(|task| (id(&task.id), task.clone())).collect();
        Self { ledger: Ledger::new(flaw), tasks, calm: AtomicBool::new(false), notes: Mutex::default() }
    }

    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a task was enqueued; a follow-up was not by the plan.
    pub(crate) fn task(&self, id: &TaskId) -> Option<&NewTask> {
        self.tasks.get(id)
    }

    pub(crate) fn act_of(&self, ctx: &TaskContext) -> Act {
        let Some(task) = self.task(ctx.id()) else { return Act { lasts: Duration::ZERO, end: End::Value } };
        let mut act = task.acts[(ctx.attempt() as usize - 1).min(task.acts.len() - 1)];
        if matches!(act.end, End::Hang) && self.calm.load(Ordering::Relaxed) {
            act.end = End::Value; // nobody would come to end it
        }
        act
    }

    pub(crate) fn follows(&self, ctx: &TaskContext, child: &TaskId) {
        self.notes().follow_ups.push((ctx.id().clone(), ctx.attempt(), child.clone()));
    }
}

pub(crate) fn id(text: &str) -> TaskId {
    text.parse().expect("an id")
}

/// Plays a plan to its end, until no task is live and no worker is left.
///
/// # Errors
/// What did not come to an end.
pub(crate) async fn play(plan: &Plan, flaw: Option<Flaw>) -> Result<Arc<World>, String> {
    let world = Arc::new(World::new(plan, flaw));
    let (mut places, mut orders) = (JoinSet::new(), Vec::new());
    for (number, of) in plan.workers.iter().enumerate() {
        let network = network(&world.ledger, plan.seed ^ number as u64, plan.mishaps);
        orders.push(open(&mut places, &world, number, of.clone(), network));
    }
    let app = network(&world.ledger, !plan.seed, plan.mishaps);
    let mut sent = JoinSet::new();
    let began = Instant::now();
    for (at, event) in &plan.events {
        sleep_until(began + *at).await;
        happen(&world, &app, &orders, &mut sent, event.clone()).await;
    }
    sleep_until(began + BUSY).await;
    for order in &orders {
        let _ = order.send(Order::Finish);
    }
    while let Some(ended) = places.join_next().await {
        ended.map_err(|error| format!("a place failed: {error}"))??;
    }
    while let Some(ended) = sent.join_next().await {
        ended.map_err(|error| format!("an enqueue panicked: {error}"))?;
    }
    sleep(Mishap::LATE * 2).await; // what is late has come
    world.calm.store(true, Ordering::Relaxed);

    for number in 0..plan.queues {
        let resumed = world.ledger.control(&queue(number), Command::Resume).await;
        resumed.map_err(|error| error.to_string())?;
    }
    let weights = vec![1; plan.queues];
    let of = WorkerPlan { concurrency: 8, grace: Duration::ZERO, names: NAMES.to_vec(), weights };
    let last = open(&mut places, &world, orders.len(), of, network(&world.ledger, 0, None));
    let end = Instant::now() + PATIENCE;
    loop {
        let mut live = Vec::new();
        for number in 0..plan.queues {
            let stats = world.ledger.stats(&queue(number)).await.map_err(|error| error.to_string())?;
            live.extend(Some(stats).filter(|stats| stats.live() > 0));
        }
        if live.is_empty() {
            break;
        }
        if Instant::now() > end {
            return Err(format!("some tasks never end: {live:?}"));
        }
        sleep(Duration::from_secs(1)).await;
    }
    let _ = last.send(Order::Finish);
    while let Some(ended) = places.join_next().await {
        ended.map_err(|error| format!("a place failed: {error}"))??;
    }
    Ok(world)
}

fn open(
    places: &mut JoinSet<Result<(), String>>,
    world: &Arc<World>,
    number: usize,
    plan: WorkerPlan,
    network: Hostile<Ledger>,
) -> mpsc::UnboundedSender<Order> {
    let (sender, orders) = mpsc::unbounded_channel();
    let place = Place { world: world.clone(), number, plan, network, orders, to_itself: sender.clone() };
    places.spawn(place.run());
    sender
}

async fn happen(
    world: &Arc<World>,
    app: &Hostile<Ledger>,
    workers: &[mpsc::UnboundedSender<Order>],
    sent: &mut JoinSet<()>,
    event: Event,
) {
    let control = async |number, command| {
        let _ = world.ledger.control(&queue(number), command).await; // whatever it is answered
    };
    let place = |id: &TaskId| world.task(id).map_or(0, |task| task.queue);
    let tell = |worker: usize, order| {
        let _ = workers[worker].send(order); // a place listens until it is told to finish
    };
    match event {
        Event::Enqueue(tasks) => {
            for task in tasks {
                let (world, queue) = (world.clone(), TaskQueue::new(app.clone()));
                sent.spawn(async move {
                    let enqueue = queue.enqueue_named::<u32>(task.name, &()).id(id(&task.id));
                    if let Ok(handle) = enqueue.options(|_| task.options).await {
                        world.notes().acknowledged.push(handle.id().clone());
                    }
                });
            }
        }
        Event::Cancel(n) => {
            let id = id(&format!("t{n}"));
            let _ = world.ledger.cancel(&queue(place(&id)), &id).await; // whatever it is answered
        }
        Event::Replay(n) => {
            let id = id(&format!("t{n}"));
            control(place(&id), Command::Replay(id)).await;
        }
        Event::Purge(number) => control(number, Command::Purge).await,
        Event::Pause(number) => control(number, Command::Pause).await,
        Event::Resume(number) => control(number, Command::Resume).await,
        Event::Crash { worker, released } => tell(worker, Order::Crash { released }),
        Event::Stop { worker } => tell(worker, Order::Stop),
        Event::Cut { worker, lasts } => tell(worker, Order::Cut(lasts)),
        Event::Away(lasts) => (0..workers.len()).for_each(|worker| tell(worker, Order::Cut(lasts))),
    }
}
