//! Random requests, and after each what must hold between two requests.

use std::collections::HashMap;

use fastrand::Rng;
use task_core::Filter;

use super::*;
use crate::state::{
    Cancel, Delete, Explain, List, Purge, Release, Replay, SetLimit, SetPaused, Stats, Tick,
    places::Place,
    task::{Live, Task},
};

/// The task that lies where this one says it lies.
fn entry_of<'s>(state: &'s State, live: &Live) -> Option<&'s TaskId> {
    let places = &state.places;
    match live.place {
        Place::Ready(key) => places.ready.after(None).find(|(k, _)| *k == key).map(|(_, id)| id),
        Place::Suspect(key) => places.suspects.after(None).find(|(k, _)| *k == key).map(|(_, id)| id),
        Place::Unknown(key) => {
            let here =
                |name: &Name, suspect, k| (name, suspect, k) == (&live.record.task, live.is_suspect(), key);
            state.unknown_after(None).find(|(name, suspect, k, _)| here(name, *suspect, *k)).map(|e| e.3)
        }
        Place::Delayed(key) => places.delayed.get(&key),
        Place::Retry(key) => places.retries.get(&key),
        Place::Running(held) => places.running.after(None).find(|(h, _)| *h == held).map(|(_, id)| id),
        Place::Nowhere => None,
    }
}

fn check(state: &State) {
    let (mut live_tasks, mut locks, mut expiring, mut ends) = (0, HashMap::new(), 0, 0);
    for (id, task) in &state.tasks {
        let live = match task {
            Task::Live(live) => live,
            Task::Final(_) | Task::Gone(_) => {
                ends += 1;
                continue;
            }
        };
        live_tasks += 1;
        assert_eq!(entry_of(state, live), Some(id), "a live task lies where it says: {live:?}");
        expiring += usize::from(live.expiry.is_some());
        if let Some(lock) = &live.terms.lock {
            assert_eq!(locks.insert(lock.clone(), id.clone()), None, "one live task has a unique key");
        }
        let status = match live.place {
            Place::Running(_) => TaskStatus::Running,
            Place::Retry(_) => TaskStatus::Retry,
            _ => TaskStatus::Pending,
        };
        assert_eq!(live.record.status, status);
    }
    let places = &state.places;
    assert_eq!(state.waiting() as usize + places.running.len(), live_tasks, "no entry is stale");
    assert_eq!(places.expiring.len(), expiring);
    assert_eq!(state.locks, locks, "a key is held exactly while its task is live");
    let kept = [TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Skipped, TaskStatus::Cancelled];
    let kept: u64 = kept.map(|status| state.finals.len(status)).iter().sum();
    let finals = state.tasks.values().filter(|task| matches!(task, Task::Final(_))).count();
    assert_eq!((kept as usize, state.finals.ends_len()), (finals, ends));
    for worker in state.workers.values() {
        assert!(worker.claims.len() <= 8 && worker.commands.len() <= 64);
        for id in worker.cancels.keys() {
            assert!(state.live(id).is_some_and(|live| live.record.cancel_requested));
        }
    }
}

fn options(rng: &mut Rng) -> TaskOptions {
    let mut options = TaskOptions::default().priority(rng.u8(48..52)).max_crashes(rng.u8(0..5));
    if rng.u8(..4) == 0 {
        options = options.delay(secs(rng.u64(1..20)));
    }
    if rng.u8(..4) == 0 {
        options = options.expires(secs(rng.u64(1..30)));
    }
    if rng.u8(..3) == 0 {
        options = options.unique(format!("k{}", rng.u8(..4)));
    }
    if rng.u8(..4) == 0 {
        options = options.retention(secs(rng.u64(..1200)));
    }
    options
}

fn outcome(rng: &mut Rng) -> Outcome {
    match rng.u8(..7) {
        0 => Outcome::Skipped { reason: "nothing to do".into() },
        1 => Outcome::Cancelled { reason: "told to".into() },
        2 => Outcome::Retry { error: error(), delay: secs(rng.u64(..10)) },
        3 => Outcome::Failed { error: error() },
        4 => Outcome::Released,
        5 => Outcome::NameUnknown,
        _ => value(),
    }
}

fn step(bench: &mut Bench, rng: &mut Rng, sims: &mut [Sim], held: &mut Vec<(String, Token)>) {
    let text = format!("t{}", rng.u8(..30));
    let place = rng.usize(..sims.len());
    match rng.u8(..22) {
        0..=4 => drop(bench.enqueue(&text, options(rng))),
        5..=9 => {
            let worker = &mut sims[place];
            let number = if rng.u8(..5) == 0 { worker.claims.max(1) } else { worker.claims + 1 };
            worker.claims = number;
            let claim = worker.claim(number, rng.usize(..4), rng.bool());
            match bench.apply(&claim) {
                Ok(granted) => held.extend(ids(&granted).into_iter().map(|id| (id, claim.token()))),
                Err(WorkerClosed) => sims[place] = Sim::new(if rng.bool() { &["a"] } else { &[] }),
            }
        }
        10..=13 if !held.is_empty() => {
            let (text, token) = held.swap_remove(rng.usize(..held.len()));
            bench.end(&text, token, outcome(rng));
            if rng.u8(..4) == 0 {
                held.push((text, token)); // it is sent again
            }
        }
        14 => drop(bench.apply(Cancel(id(&text)))),
        15 => drop(bench.apply(Replay(id(&text)))),
        16 => drop(bench.apply(Delete(id(&text)))),
        17 => drop(bench.apply(Release(sims[place].incarnation))),
        18 => {
            for worker in sims.iter().filter(|_| rng.bool()) {
                bench.beat(worker);
            }
            bench.advance(secs(rng.u64(1..15)));
        }
        19 => match rng.u8(..6) {
            0 => drop(bench.apply(Purge(rng.usize(..10)))),
            1 => drop(bench.apply(SetLimit(rng.bool().then_some(12)))),
            2 => bench.now = bench.now + secs(rng.u64(10..1000)),
            _ => drop(bench.apply(SetPaused(rng.u8(..4) == 0))),
        },
        20 => drop(bench.apply(Explain(&id(&text)))),
        _ => bench.apply(Tick),
    }
}

#[test]
fn whatever_comes_each_live_task_lies_in_one_place_and_nothing_is_left_behind() {
    for seed in 0..100 {
        let (mut bench, mut rng) = (Bench::new(), Rng::with_seed(seed));
        let mut sims = vec![Sim::new(&["a"]), Sim::new(&["a"]), Sim::new(&["b"])];
        let mut held = Vec::new();
        for _ in 0..300 {
            step(&mut bench, &mut rng, &mut sims, &mut held);
            check(&bench.state);
        }
        let all = bench.apply(List(Filter::new(1000))).unwrap().tasks;
        let stats = bench.apply(Stats);
        let kept = stats.completed + stats.failed + stats.skipped + stats.cancelled;
        assert_eq!(all.len() as u64, stats.live() + kept);
    }
}

#[test]
fn each_task_reaches_its_end_once_workers_are_left_in_peace() {
    for seed in 0..50 {
        let (mut bench, mut rng) = (Bench::new(), Rng::with_seed(seed));
        let mut sims = vec![Sim::new(&["a"]), Sim::new(&["a"]), Sim::new(&["b"])];
        let mut held = Vec::new();
        for _ in 0..200 {
            step(&mut bench, &mut rng, &mut sims, &mut held);
        }
        for worker in &sims {
            bench.apply(Release(worker.incarnation));
        }
        bench.apply(SetPaused(false));
        let mut last = Sim::new(&["a"]);
        for _ in 0..200 {
            for text in bench.take(&mut last, 1) {
                let token = Token::new(last.incarnation, last.claims);
                assert_eq!(bench.end(&text, token, value()), SettleAnswer::Done);
            }
            bench.advance(secs(1));
        }
        check(&bench.state);
        assert_eq!(bench.apply(Stats).live(), 0, "seed {seed}");
    }
}

#[test]
fn the_same_requests_at_the_same_times_give_the_same_replies() {
    let run = || {
        let (mut bench, mut rng) = (Bench::new(), Rng::with_seed(7));
        let incarnations = ["0", "1", "2"].map(|n| n.repeat(32).parse::<Incarnation>().unwrap());
        let mut sims = incarnations.map(|incarnation| Sim { incarnation, ..Sim::new(&["a"]) }).to_vec();
        let mut held = Vec::new();
        for _ in 0..500 {
            step(&mut bench, &mut rng, &mut sims, &mut held);
            for (place, worker) in sims.iter_mut().enumerate() {
                let known = |incarnation: &Incarnation| incarnations.contains(incarnation);
                if !known(&worker.incarnation) {
                    worker.incarnation = incarnations[place].next(); // a closed one goes on under a known id
                }
            }
        }
        let all = bench.apply(List(Filter::new(1000))).unwrap().tasks;
        format!("{held:?} {all:?} {:?}", bench.apply(Stats).totals)
    };
    assert_eq!(run(), run());
}
