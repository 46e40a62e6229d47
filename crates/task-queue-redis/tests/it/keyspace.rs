//! Nothing stays behind: once all tasks are gone, what is left in the store is what a queue has that was never used.

use std::{collections::BTreeSet, pin::pin, time::Duration};

use task_queue_redis::{RedisQueue, task_core::*};

use crate::{
    layout::{structure_of, structures},
    server::Server,
    stage::*,
};

/// A queue whose structures are looked at after each step.
struct Watched {
    server: Server,
    queue: RedisQueue,
    seen: BTreeSet<String>,
}

impl Watched {
    async fn open() -> Self {
        let server = Server::start(&[]);
        let queue = server.queue().await;
        Self { server, queue, seen: BTreeSet::new() }
    }

    fn keys(&self) -> Vec<String> {
        self.server.say(&["keys", "tf:{tasks}:*"]).lines().map(str::to_owned).collect()
    }

    /// The structures that there are now.
    fn structures(&self) -> BTreeSet<String> {
        self.keys().iter().map(|key| structure_of(key).to_owned()).collect()
    }

    /// What this command answers for one of its keys.
    fn size(&self, command: &str, structure: &str) -> String {
        self.server.say(&[command, &format!("tf:{{tasks}}:{structure}")])
    }

    /// What is there now is as it is documented.
    fn look(&mut self) {
        for key in self.keys() {
            if self.seen.insert(structure_of(&key).to_owned()) {
                let documented = structures().get(structure_of(&key)).copied();
                assert_eq!(Some(self.server.say(&["type", &key]).as_str()), documented, "{key}");
            }
        }
    }

    /// The first claim of a worker that is idle if it wants one task alone.
    async fn take(&mut self, worker: Incarnation, tasks: usize) -> Vec<std::sync::Arc<Delivery>> {
        let mut claim = claim(worker, 1);
        (claim.max_tasks, claim.idle) = (tasks, tasks == 1);
        let got = self.queue.dequeue(claim).await.unwrap().tasks;
        self.look();
        got
    }

    async fn advance(&mut self, seconds: u64) {
        self.queue.advance_clock(&Q, Duration::from_secs(seconds), true).await.unwrap();
        self.queue.stats(&Q).await.unwrap();
        self.look();
    }
}

/// Each way to end, to wait and to be told once.
async fn use_all_of_it(queue: &mut Watched) {
    let worker = Incarnation::new();
    // an entry that is left in a list of results too long to look through
    put_many(&queue.queue, "done", 1001, options()).await;
    for number in 1..=2 {
        work(&queue.queue, worker, number, &completed()).await;
    }
    queue.queue.control(&Q, Command::Delete(id("done0500"))).await.unwrap();
    queue.queue.release(&Q, worker).await.unwrap();
    queue.look();
    let worker = Incarnation::new();
    let special = options().unique("key").expires(Duration::from_secs(3600));
    put(&queue.queue, "special", special).await;
    put(&queue.queue, "brief", options().retention(Duration::from_secs(1))).await;
    put_many(&queue.queue, "t", 8, options()).await;
    put(&queue.queue, "late", options().delay(Duration::from_secs(60))).await;
    queue.look();
    let got = queue.take(worker, 20).await;
    assert_eq!(got.len(), 10);
    let wait = tokio::spawn({
        let queue = queue.queue.clone();
        async move { queue.wait(&Q, &id("special"), Duration::from_secs(30)).await }
    });
    until("it waits", || async { queue.structures().contains("waiting").then_some(()) }).await;
    let mut sign = beat(worker);
    let half = Progress::new(0.5, "half", Timestamp::default());
    sign.progress = vec![ProgressUpdate::new(got[0].id().clone(), got[0].token, half)];
    queue.queue.heartbeat(sign).await.unwrap();
    queue.queue.cancel(&Q, got[9].id()).await.unwrap();
    queue.queue.control(&Q, Command::Tell(worker, WorkerCommand::Pause)).await.unwrap();
    queue.look();
    let skipped = Outcome::Skipped { reason: "nothing to do".into() };
    let outcomes =
        [completed(), completed(), failed(), skipped, retry_in(600), Outcome::NameUnknown, Outcome::Released];
    for (delivery, outcome) in got.iter().zip(outcomes) {
        settle(&queue.queue, delivery, outcome).await;
        queue.look();
    }
    assert!(!wait.await.unwrap().unwrap().is_live());
    queue.advance(2).await;
    queue.queue.release(&Q, worker).await.unwrap();

    // a suspect, one that runs alone, and more tasks of a dead worker than are given back at once
    for number in 0..2 {
        let worker = Incarnation::new();
        assert!(!queue.take(worker, 20).await.is_empty(), "round {number}");
        queue.queue.release(&Q, worker).await.unwrap();
        queue.look();
    }
    assert!(queue.take(Incarnation::new(), 1).await[0].suspect);
    put_many(&queue.queue, "many", 250, options().priority(60)).await;
    assert_eq!(queue.take(Incarnation::new(), 250).await.len(), 250);
    queue.advance(13).await;

    // an entry that is left in a list too long to look through
    put_many(&queue.queue, "long", 1002, options().priority(10)).await;
    queue.queue.cancel(&Q, &id("long0900")).await.unwrap();
    queue.queue.control(&Q, Command::Delete(id("long0900"))).await.unwrap();
    queue.look();
    until("all is given back", || async {
        queue.queue.stats(&Q).await.unwrap();
        (queue.size("hlen", "run") == "1").then_some(())
    })
    .await;
    queue.queue.control(&Q, Command::Purge).await.unwrap();
    queue.look();
}

#[tokio::test]
async fn a_queue_whose_tasks_are_all_gone_has_no_structure_left_but_its_totals() {
    let mut queue = Watched::open().await;
    use_all_of_it(&mut queue).await;
    assert_eq!(queue.seen, structures().into_keys().map(str::to_owned).collect(), "each was used");
    for _ in 0..3 {
        queue.advance(3 * 24 * 3600).await;
    }
    until("all is swept", || async {
        queue.queue.stats(&Q).await.unwrap();
        (queue.size("hlen", "tasks") == "0").then_some(())
    })
    .await;
    // a token that nobody takes, and two hashes that a dummy field keeps hashes
    assert_eq!(queue.structures(), ["meta", "run", "state", "wake"].map(str::to_owned).into());
    assert_eq!(
        [queue.size("hlen", "run"), queue.size("hlen", "state"), queue.size("llen", "wake")],
        ["1", "1", "1"]
    );
    let fields = queue.size("hlen", "meta");
    assert!(fields.parse::<u32>().unwrap() < 32, "{}", queue.size("hkeys", "meta"));
}

/// A worker that never acknowledged its claims, or died without being released, left something behind with each.
#[tokio::test]
async fn a_worker_leaves_nothing_behind_however_it_claims_and_ends() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    for number in 1..=40 {
        put(&queue, &format!("t{number}"), options()).await;
        let mut claim = claim(worker, number);
        claim.acked = 0;
        let got = queue.dequeue(claim).await.unwrap().tasks;
        assert_eq!(got.len(), 1);
        if number % 20 != 0 {
            settle(&queue, &got[0], completed()).await;
        }
    }
    // what is held, what may be asked for again, and two numbers
    let log = format!("tf:{{tasks}}:claims:{worker}");
    let fields: u64 = server.say(&["hlen", &log]).parse().unwrap();
    assert!(fields <= 2 + 8 + 2, "{fields} fields of claims are kept");
    queue.advance_clock(&Q, Duration::from_secs(13), true).await.unwrap();
    queue.stats(&Q).await.unwrap();
    for key in ["gens", "reg", "knows", "label", "seen", "leases", "dying"] {
        let key = format!("tf:{{tasks}}:{key}");
        assert_eq!(server.say(&["exists", &key]), "0", "{key}");
    }
    assert_eq!(server.say(&["exists", &log]), "0");
}

/// Whoever released a worker died in the middle, and the field by which its generations are known stayed for ever.
#[tokio::test]
async fn a_release_that_is_broken_off_is_carried_on_by_housekeeping() {
    let queue = Watched::open().await;
    let worker = Incarnation::new();
    for number in 0..5 {
        put_many(&queue.queue, &format!("r{number}-"), 1000, options()).await;
        let mut claim = claim(worker, number + 1);
        claim.max_tasks = 1000;
        assert_eq!(queue.queue.dequeue(claim).await.unwrap().tasks.len(), 1000);
    }
    {
        let mut release = pin!(queue.queue.release(&Q, worker));
        let begins = until("it begins", || async { (queue.size("zcard", "closed") == "1").then_some(()) });
        tokio::select! {
            biased;
            () = begins => {}
            _ = &mut release => {}
        }
    }
    assert_ne!(queue.size("hlen", "run"), "1", "it was broken off");
    until("all is given back", || async {
        queue.queue.stats(&Q).await.unwrap();
        (queue.size("hlen", "run") == "1").then_some(())
    })
    .await;
    let left = queue.structures();
    for structure in ["gens", "dying", "held", "label", "leases", "reg"] {
        assert!(!left.contains(structure), "{structure}");
    }
}

/// A release by the generation that a worker began with forgot the one that it went on under.
#[tokio::test]
async fn a_release_closes_the_generation_that_a_worker_went_on_under() {
    let queue = Watched::open().await;
    let worker = Incarnation::new();
    put_many(&queue.queue, "t", 201, options()).await;
    let mut first = claim(worker, 1);
    first.max_tasks = 200;
    assert_eq!(queue.queue.dequeue(first).await.unwrap().tasks.len(), 200);
    assert_eq!(queue.queue.dequeue(claim(worker.next(), 1)).await.unwrap().tasks.len(), 1);
    assert_eq!(queue.queue.release(&Q, worker).await.unwrap(), 201);
    let left = queue.structures();
    for structure in ["gens", "dying", "held", "leases", "run"] {
        assert_eq!(left.contains(structure), structure == "run", "{structure}");
    }
    assert_eq!(queue.size("hlen", "run"), "1");
}
