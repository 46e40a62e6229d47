//! One step of a script.

use std::sync::Arc;

use bytes::Bytes;
use task_core::{
    Batch, Claim, Command, Delivery, Failure, FailureKind, Heartbeat, Holds, Incarnation, Outcome, Progress,
    ProgressUpdate, Queue as _, SettleRequest, Settlement, TaskMessage, TaskOptions, Timestamp,
    WorkerCommand,
};

use super::{
    compare::same,
    play::{Player, UNIT, Worker},
    script::{End, NAMES, NewTask, Step, Wish},
};
use crate::{
    Harness,
    stage::{QUEUE, id, named, options},
};

/// Workers that are kept as zombies.
const ZOMBIES: usize = 4;

fn task_id(n: u8) -> task_core::TaskId {
    id(&format!("t{n}"))
}

impl<H: Harness> Player<'_, H> {
    pub(super) async fn turn(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Enqueue(tasks) => self.enqueue(tasks.iter().map(message).collect()).await?,
            Step::Claim(wish) => {
                let claim = self.workers[wish.worker].claim(wish);
                self.claim(claim).await?;
            }
            Step::ClaimAgain { worker, back } => {
                if let Some(claim) = self.workers[*worker].claim_again(*back) {
                    self.claim(claim).await?;
                }
            }
            Step::Settle { ends, then } => {
                let pick = |(pick, end): &(usize, End)| {
                    Some(Settlement::new(recent(&self.held, *pick)?.clone(), outcome(*end)))
                };
                let settlements = ends.iter().filter_map(pick).collect();
                let then = then.as_ref().map(|wish| self.workers[wish.worker].claim(wish));
                self.settle(settlements, then).await?;
            }
            Step::SettleAgain { pick, end } => {
                if let Some(settled) = recent(&self.settled, *pick) {
                    let mut again = settled.clone();
                    again.outcome = end.map_or(again.outcome, outcome);
                    self.settle(vec![again], None).await?;
                }
            }
            Step::Beat { worker, busy, progress, forgets } => {
                let incarnation = self.workers[*worker].incarnation;
                let mine: Vec<_> = self.held.iter().filter(|d| d.token.worker == incarnation).collect();
                let update = progress.and_then(|pick| recent(&mine, pick)).map(|delivery| {
                    let progress =
                        Progress::new(*busy as f32 / 9.0, format!("{busy} of 9"), Timestamp::now());
                    ProgressUpdate::new(delivery.id().clone(), delivery.token, progress)
                });
                let worker = self.workers[*worker].clone();
                let holds = forgets.map(|pick| {
                    // one in three is remembered all the same
                    let forgotten = (pick % 3 > 0).then(|| recent(&mine, pick)).flatten();
                    let holds =
                        |held: &&&Arc<Delivery>| forgotten.is_none_or(|lost| !Arc::ptr_eq(lost, held));
                    let mut tasks: Vec<_> =
                        mine.iter().filter(holds).map(|held| (held.token.claim, held.id().clone())).collect();
                    tasks.sort_by_key(|(claim, _)| *claim);
                    // in two ways: of all before the first that it left out, or of all but those that it did
                    let mut holds = Holds::new(worker.answered(), tasks);
                    if pick % 2 == 0 {
                        (holds.up_to, holds.except) = (worker.newest, worker.skipped.clone());
                    }
                    holds
                });
                self.beat(&worker, *busy, update, holds).await?;
            }
            Step::Release { worker } => {
                let worker = self.give_up(*worker);
                let given_back = self.backend.release(&QUEUE, worker).await.map_err(|e| e.to_string())?;
                let expected = self.space().release(worker);
                same("tasks given back", &given_back, &expected)?;
            }
            Step::Die { worker } => drop(self.give_up(*worker)),
            Step::Zombie { pick } => {
                if let Some(zombie) = pick.checked_rem(self.zombies.len()) {
                    let wish =
                        Wish { worker: zombie, max: 1, idle: false, acks: true, skips: false, narrow: false };
                    let claim = self.zombies[zombie].claim(&wish);
                    self.claim(claim).await?;
                }
            }
            Step::ZombieBeat { pick } => {
                if let Some(zombie) = pick.checked_rem(self.zombies.len()) {
                    let zombie = self.zombies[zombie].clone();
                    self.beat(&zombie, 0, None, None).await?;
                }
            }
            Step::Cancel(n) => {
                let answer = self.backend.cancel(&QUEUE, &task_id(*n)).await.map_err(|e| e.to_string())?;
                let expected = self.space().cancel(&task_id(*n));
                same("the answer to a cancel", &answer, &expected)?;
            }
            Step::Replay(n) => self.control(Command::Replay(task_id(*n))).await?,
            Step::Delete(n) => self.control(Command::Delete(task_id(*n))).await?,
            Step::Pause => self.control(Command::Pause).await?,
            Step::Resume => self.control(Command::Resume).await?,
            Step::Limit(limit) => self.control(Command::Limit(*limit)).await?,
            Step::Purge => self.control(Command::Purge).await?,
            Step::Tell { worker, concurrency } => {
                let told = WorkerCommand::Concurrency(*concurrency);
                self.control(Command::Tell(self.workers[*worker].incarnation, told)).await?;
            }
            Step::Explain(n) => {
                let id = task_id(*n);
                let answer = self.backend.explain(&QUEUE, &id).await.map_err(|e| e.to_string())?;
                let expected = self.space().explain(&id);
                let (there, here) = self.starts;
                let (answer, expected) =
                    (there.explanation(answer.as_ref()), here.explanation(expected.as_ref()));
                same("explanation", &answer, &expected)?;
            }
            Step::Message(n) => {
                let id = task_id(*n);
                let answer = self.backend.message(&QUEUE, &id).await.map_err(|e| e.to_string())?;
                let expected = self.space().message(&id);
                let (there, here) = self.starts;
                let may_be_dropped = answer.is_none() && self.space().is_done(&id);
                if !may_be_dropped {
                    same("message", &answer.map(|m| there.message(m)), &expected.map(|m| here.message(m)))?;
                }
            }
            Step::List(status, name) => drop(self.list(*status, *name).await?),
            Step::Advance(units) => {
                self.harness.advance(UNIT * *units).await;
                self.model.advance(UNIT * *units);
                self.stats().await?;
            }
            Step::Outage(units) => {
                self.harness.outage(UNIT * *units).await;
                self.model.now = self.model.now + UNIT * *units;
                self.stats().await?;
            }
        }
        if let Some(asked) = self.runs_empty
            && !self.space().can_be_asked(asked)
        {
            self.runs_empty = None;
        }
        Ok(())
    }

    pub(super) async fn enqueue(&mut self, messages: Vec<TaskMessage>) -> Result<(), String> {
        let batch = Batch::new(QUEUE, messages);
        let reply = self.backend.enqueue(batch.clone()).await.map_err(|error| error.to_string())?;
        let expected = self.space().enqueue(&batch);
        same("answers to an enqueue", &reply.answers, &expected)
    }

    pub(super) async fn control(&mut self, command: Command) -> Result<(), String> {
        let answer =
            self.backend.control(&QUEUE, command.clone()).await.map_err(|error| error.to_string())?;
        let expected = self.space().control(&command);
        same("the answer to a command", &answer, &expected)
    }

    async fn claim(&mut self, claim: Claim) -> Result<(), String> {
        self.tally.claims += 1;
        let answer = self.backend.dequeue(claim.clone()).await;
        self.compare_claim(&claim, answer)
    }

    pub(super) async fn settle(
        &mut self,
        settlements: Vec<Settlement>,
        then: Option<Claim>,
    ) -> Result<(), String> {
        self.tally.settlements += settlements.len() as u64;
        let mut request = SettleRequest::new(QUEUE, settlements.clone());
        request.then.clone_from(&then);
        let reply = self.backend.settle(request).await.map_err(|error| error.to_string())?;
        self.compare_settlements(&settlements, &reply.answers)?;
        match (then, reply.claimed) {
            (Some(claim), Some(answer)) => self.compare_claim(&claim, answer),
            (None, None) => Ok(()),
            (claim, answer) => Err(format!("to the claim {claim:?} of a settlement came {answer:?}")),
        }
    }

    async fn beat(
        &mut self,
        worker: &Worker,
        busy: u32,
        update: Option<ProgressUpdate>,
        holds: Option<Holds>,
    ) -> Result<(), String> {
        let mut beat = Heartbeat::new(QUEUE, worker.incarnation, worker.registration.clone());
        (beat.busy, beat.heard, beat.holds) = (busy, worker.told, holds);
        beat.progress.extend(update);
        let reply = self.backend.heartbeat(beat.clone()).await.map_err(|error| error.to_string())?;
        let known = |known: &&mut Worker| known.incarnation == worker.incarnation;
        // one answer in so many is lost
        if !self.tally.claims.is_multiple_of(4)
            && let Some(worker) = self.workers.iter_mut().find(known)
        {
            worker.told = reply.told;
        }
        self.compare_beat(&beat, reply)
    }

    /// Another starts in the place of a worker; who that was.
    fn give_up(&mut self, worker: usize) -> Incarnation {
        let new = self.workers[worker].again();
        let old = std::mem::replace(&mut self.workers[worker], new);
        let incarnation = old.incarnation;
        self.zombies.insert(0, old);
        self.zombies.truncate(ZOMBIES);
        incarnation
    }

    /// A worker was answered, or told that it is closed, and goes on under another incarnation.
    pub(super) fn heard(&mut self, incarnation: Incarnation, closed: bool) {
        let known = |worker: &Worker| worker.incarnation == incarnation;
        if let Some(place) = self.workers.iter().position(known) {
            if closed {
                self.workers[place] = self.workers[place].next();
            }
            self.workers[place].heard = !closed;
        }
    }
}

/// One of those that came last.
fn recent<T>(all: &[T], pick: usize) -> Option<&T> {
    const LAST: usize = 8;
    let back = pick.checked_rem(all.len().min(LAST))?;
    all.get(all.len() - 1 - back)
}

impl Worker {
    /// The claims up to this number are answered.
    fn answered(&self) -> u64 {
        self.skipped.iter().min().map_or(self.newest, |skipped| skipped - 1)
    }

    /// The claim that it makes next.
    fn claim(&mut self, wish: &Wish) -> Claim {
        let last = self.newest + 1 + u64::from(wish.skips);
        if wish.acks || last > self.acked + Claim::IN_FLIGHT {
            self.acked = self.answered();
        }
        let number = if last <= self.acked + Claim::IN_FLIGHT {
            self.skipped.extend(self.newest + 1..last);
            self.newest = last;
            last
        } else {
            self.skipped.remove(0) // since something is still on its way, or all would be acknowledged
        };
        let mut claim = self.numbered(number);
        (claim.max_tasks, claim.idle) = (wish.max, wish.idle);
        if wish.narrow {
            claim.max_bytes = 1;
        }
        claim
    }

    /// A claim again that was made or left out; one that was acknowledged, if there is no other.
    fn claim_again(&mut self, back: u64) -> Option<Claim> {
        let under_way = self.newest - self.acked;
        let number = back.checked_rem(under_way).map_or(self.acked, |back| self.newest - back);
        self.skipped.retain(|skipped| *skipped != number);
        let mut claim = self.numbered(number);
        claim.max_tasks = 2;
        (number > 0).then_some(claim)
    }

    fn numbered(&self, number: u64) -> Claim {
        let mut claim = Claim::new(QUEUE, self.incarnation, self.registration.clone(), number);
        (claim.acked, claim.idle) = (self.acked, false);
        claim
    }
}

fn message(new: &NewTask) -> TaskMessage {
    let mut options: TaskOptions = options();
    options.priority = new.priority;
    options.max_crashes = new.max_crashes;
    options.retention = new.retention.map(|units| UNIT * units);
    if let Some(units) = new.delay {
        options = options.delay(UNIT * units);
    }
    if let Some(units) = new.expires {
        options = options.expires(UNIT * units);
    }
    options = match new.unique {
        Some((key, true)) => options.unique_in_queue(format!("key{key}")),
        Some((key, false)) => options.unique(format!("key{key}")),
        None => options,
    };
    let mut message = named(NAMES[new.name], &format!("t{}", new.id), options);
    message.params = Bytes::from(vec![new.params]);
    message
}

fn outcome(end: End) -> Outcome {
    let failure = |kind| Failure::new(kind, "it did not work");
    match end {
        End::Completed(value) => completed(value),
        End::Skipped => Outcome::Skipped { reason: "nothing to do".into() },
        End::Cancelled => Outcome::Cancelled { reason: "told to".into() },
        End::Retry(units) => Outcome::Retry { error: failure(FailureKind::Error), delay: UNIT * units },
        End::Failed => Outcome::Failed { error: failure(FailureKind::Fatal) },
        End::Released => Outcome::Released,
        End::NameUnknown => Outcome::NameUnknown,
    }
}

pub(super) fn completed(value: u8) -> Outcome {
    Outcome::Completed { result: Bytes::from(vec![value]) }
}
