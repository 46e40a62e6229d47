//! A server, a proxy before it, the processes that work, and the apps that give them work.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use fastrand::Rng;
use task_core::{Filter, Name, Queue as _, QueueStats, ResultMessage, TaskQueue, TaskStatus};
use task_queue_redis::RedisQueue;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::{
    book::Book,
    crew::Crew,
    entry::{Entry, Where},
    evidence::Evidence,
    fault::Injected,
    fleet::Fleet,
    load::{App, Shared},
    primary::Primary,
    progress::PROGRESS,
    proxy::Proxy,
    report::is_made_good,
    scale::Scale,
};

pub(crate) const Q: Name = Name::DEFAULT_QUEUE;

/// Longer than a lease, a grace after an outage, and a claim that waits, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);
/// How often is looked for what nobody tells us of.
const LOOK: Duration = Duration::from_millis(10);

pub(crate) struct Stage {
    pub(crate) evidence: Evidence,
    pub(crate) server: Primary,
    pub(crate) proxy: Proxy,
    pub(crate) fleet: Fleet,
    pub(crate) book: Arc<Mutex<Book>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) scale: &'static Scale,
    pub(crate) clock_was_set: bool,
    apps: Vec<JoinHandle<Vec<Entry>>>,
    stop: watch::Sender<bool>,
    reading: JoinHandle<()>,
}

impl Stage {
    /// A server with these arguments, with two apps whose tasks follow from the seed.
    pub(crate) async fn open(seed: u64, args: &[&str], scale: &'static Scale, own_clock: bool) -> Self {
        let server = Primary::start(args);
        let proxy = Proxy::before(server.port()).await;
        let fleet = Fleet::start(Crew::new(&proxy.url(), scale.concurrency, own_clock));
        let book = Arc::new(Mutex::new(Book::new(fleet.crew.ledger())));
        let (shared, stop) = (Arc::new(Shared::default()), watch::Sender::new(false));
        let reading = tokio::spawn(read(book.clone(), shared.clone()));
        let mut apps = Vec::new();
        for number in 0..2 {
            let queue = TaskQueue::new(RedisQueue::connect(&proxy.url()).await.unwrap());
            let rng = Rng::with_seed(seed.wrapping_add(number));
            let (shared, stop) = (shared.clone(), stop.subscribe());
            apps.push(tokio::spawn(App { number: number as usize, queue, rng, scale, shared, stop }.live()));
        }
        let evidence = Evidence::of(seed, fleet.crew.folder());
        Self {
            evidence,
            server,
            proxy,
            fleet,
            book,
            shared,
            scale,
            clock_was_set: false,
            apps,
            stop,
            reading,
        }
    }

    /// The queue as somebody sees it whom no fault concerns.
    pub(crate) async fn direct(&self) -> TaskQueue {
        TaskQueue::new(RedisQueue::connect(&self.server.url()).await.unwrap())
    }

    /// Sets the server's clock ahead, or back, by so many milliseconds, as far as the queue sees it.
    pub(crate) fn set_clock(&mut self, by: i64) {
        for queue in Where::ALL {
            self.server.command(&["hincrby", &key(queue, "meta"), "skew", &by.to_string()]);
        }
        self.clock_was_set = true;
    }

    /// Waits until so many more tasks were run.
    pub(crate) async fn progress(&self, more: usize) {
        let target = self.shared.ended.load(Ordering::Relaxed) + more;
        self.until("tasks are run", || self.shared.ended.load(Ordering::Relaxed) >= target).await;
    }

    /// Waits until more of each named queue was run.
    pub(crate) async fn progress_everywhere(&self) {
        let ended = |queue: Where| self.shared.ended_in[queue as usize].load(Ordering::Relaxed);
        let before = Where::ALL.map(ended);
        for queue in Where::ALL {
            let what = format!("tasks of {} are run", queue.name());
            self.until(&what, || ended(queue) > before[queue as usize]).await;
        }
    }

    /// Waits until the tasks of the victims run again, for as long as a lease and some more: of a task that was cancelled
    /// meanwhile nothing comes.
    pub(crate) async fn made_good(&self, injected: &Injected) {
        let end = Instant::now() + Duration::from_secs(16);
        while !injected.victims.is_empty() && Instant::now() < end {
            if is_made_good(injected, &self.book.lock().unwrap().lines) {
                return;
            }
            sleep(Duration::from_millis(200)).await; // as nobody tells
        }
    }

    pub(crate) async fn until(&self, what: &str, mut is: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is() {
            assert!(Instant::now() < end, "it never came that {what}:\n{}", self.fleet.log());
            sleep(LOOK).await;
        }
    }

    /// Lets the apps come to their end; answers with what they enqueued.
    pub(crate) async fn close_apps(&mut self) -> Vec<Entry> {
        self.stop.send_replace(true);
        let mut entries = Vec::new();
        for app in self.apps.drain(..) {
            entries.extend(app.await.unwrap());
        }
        entries
    }

    /// Waits until every task is final, and answers how the named queues stand then.
    pub(crate) async fn drained(&self) -> Vec<QueueStats> {
        let (queue, end) = (self.direct().await, Instant::now() + PATIENCE);
        let mut all = Vec::new();
        for name in Where::ALL.map(Where::name) {
            // stats do housekeeping, so they are asked only now and then: workers must not depend on them
            let mut stats = queue.stats(&name).await.unwrap();
            while stats.live() > 0 {
                if Instant::now() > end {
                    let mut filter = Filter::new(20);
                    filter.status = Some(TaskStatus::Running);
                    let running = queue.list(&name, filter).await.unwrap().tasks;
                    panic!("stuck: {stats:#?}\n{running:#?}\n{}", self.fleet.log());
                }
                sleep(Duration::from_secs(1)).await;
                stats = queue.stats(&name).await.unwrap();
            }
            all.push(stats);
        }
        all
    }

    /// Everything that the queue knows.
    pub(crate) async fn records(&self) -> BTreeMap<String, ResultMessage> {
        let (queue, mut records) = (self.direct().await, BTreeMap::new());
        for name in Where::ALL.map(Where::name) {
            let mut cursor = None;
            loop {
                let mut filter = Filter::new(1000);
                filter.cursor = cursor;
                let page = queue.list(&name, filter).await.unwrap();
                for record in page.tasks {
                    let twice = records.insert(record.id.to_string(), record);
                    assert!(twice.is_none(), "listed twice: {twice:?}");
                }
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        records
    }

    /// What contradicts itself in the store now.
    pub(crate) fn contradictions(&self) -> Vec<String> {
        let script = include_str!("keyspace.lua");
        let said = Where::ALL.map(|queue| self.server.command(&["eval", script, "1", &base(queue)]));
        said.iter().flat_map(|said| said.lines()).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Ends the workers, lets a week and more pass, and answers which structures are left that should not be.
    pub(crate) async fn left_over(self) -> Vec<String> {
        self.reading.abort();
        for (code, said) in self.fleet.stop() {
            // one that was killed has no code
            assert!(code.is_none_or(|code| code == 0), "{code:?}: {said}");
        }
        let redis = RedisQueue::connect(&self.server.url()).await.unwrap();
        let mut left = Vec::new();
        for queue in Where::ALL {
            left.extend(left_over(&self.server, &redis, queue).await);
        }
        left
    }
}

/// What all keys of a named queue begin with.
fn base(queue: Where) -> String {
    format!("tf:{{{}}}", queue.name())
}

fn key(queue: Where, structure: &str) -> String {
    format!("{}:{structure}", base(queue))
}

/// Lets a week and more pass.
async fn left_over(server: &Primary, redis: &RedisQueue, queue: Where) -> Vec<String> {
    let name = queue.name();
    for _ in 0..3 {
        redis.advance_clock(&name, Duration::from_secs(3 * 24 * 3600), true).await.unwrap();
        redis.stats(&name).await.unwrap();
    }
    let end = Instant::now() + PATIENCE;
    while server.command(&["hlen", &key(queue, "tasks")]) != "0" {
        assert!(Instant::now() < end, "records stay: {}", server.command(&["keys", "*"]));
        redis.stats(&name).await.unwrap();
    }
    let bounded = ["meta", "run", "state", "wake"].map(|structure| key(queue, structure));
    let keys = server.command(&["keys", &key(queue, "*")]);
    let left = keys.lines().filter(|key| {
        // what has an end of its own is no leak
        !bounded.iter().any(|bounded| bounded == key) && server.command(&["pttl", key]) == "-1"
    });
    let mut left: Vec<String> = left.map(str::to_owned).collect();
    for (hash, most) in [("run", 1), ("state", 1), ("meta", 32)] {
        let length = server.command(&["hlen", &key(queue, hash)]);
        if length.parse::<usize>().unwrap() > most {
            left.push(format!("{hash} with {length} fields"));
        }
    }
    left
}

async fn read(book: Arc<Mutex<Book>>, shared: Arc<Shared>) {
    loop {
        let ended = {
            let mut book = book.lock().unwrap();
            book.read().unwrap();
            for (shared, ended) in shared.ended_in.iter().zip(book.ended_in) {
                shared.store(ended, Ordering::Relaxed);
            }
            book.ended.len()
        };
        PROGRESS.ended(ended - shared.ended.swap(ended, Ordering::Relaxed));
        sleep(LOOK).await;
    }
}
