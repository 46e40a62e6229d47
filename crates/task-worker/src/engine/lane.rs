use std::{sync::Arc, time::Duration};

use task_core::{Claim, Incarnation, Name, Outcome, Registration, Settlement};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::share::{Ask, Standing, View, Wait};

/// How long a claim waits for a task. A worker that stops recalls it.
const LONG: Duration = Duration::from_secs(5);
/// The same where others wait for the slots, and in a drain, which looks so often whether all is done.
const SHORT: Duration = Duration::from_millis(200);
/// While a call with ends is on its way, another leaves with so many or more: fewer cost less if they wait.
const SECOND: usize = 32;
/// No more ends leave in one call, so that it keeps the queue from others for a moment only.
const MOST: usize = 512;
/// A queue that was found empty is left alone so long while others have tasks.
const REST: Duration = Duration::from_millis(20);

/// A named queue, as the worker stands to it.
pub(super) struct Lane {
    pub(super) name: Name,
    pub(super) standing: Standing,
    /// The number of the claim to make, or under way. One that brought nothing is made again by its number: a copy of
    /// it that arrives late may take tasks, and nobody would ask for them by another.
    number: u64,
    pub(super) claim: Option<UnderWay>,
    /// How many ends are on their way to the queue, and in how many calls.
    settling: usize,
    settles: usize,
    /// Ends that are to be sent.
    pub(super) unsettled: Vec<Settlement>,
    /// Claims in a row that found nothing.
    pub(super) dry: u32,
    /// Something in it is due later.
    pub(super) due_later: bool,
    /// It asked this worker to run empty.
    pub(super) run_empty: bool,
    emptied: Option<Instant>,
}

/// A claim that is not answered yet.
pub(super) struct UnderWay {
    pub(super) tasks: u32,
    pub(super) wait: Wait,
    pub(super) recall: CancellationToken,
    /// It may bring a suspect.
    pub(super) idle: bool,
}

impl Lane {
    pub(super) fn new(name: Name, weight: u32) -> Self {
        Self {
            name,
            standing: Standing::new(weight),
            number: 1,
            claim: None,
            settling: 0,
            settles: 0,
            unsettled: Vec::new(),
            dry: 0,
            due_later: false,
            run_empty: false,
            emptied: None,
        }
    }

    pub(super) fn view(&self) -> View {
        let rested = self.emptied.is_none_or(|emptied| emptied.elapsed() >= REST);
        View { standing: self.standing, asked: self.claim.as_ref().map(|claim| claim.tasks), rested }
    }

    /// The next claim, from now on under way.
    pub(super) fn claim(
        &mut self,
        ask: Ask,
        idle: bool,
        worker: Incarnation,
        registration: &Arc<Registration>,
        drain: bool,
    ) -> (Claim, CancellationToken) {
        let mut claim = Claim::new(self.name.clone(), worker, registration.clone(), self.number);
        (claim.max_tasks, claim.idle) = (ask.tasks as usize, idle);
        claim.wait = match ask.wait {
            Wait::No => Duration::ZERO,
            Wait::Long if !drain => LONG,
            Wait::Long | Wait::Short => SHORT,
        };
        let recall = CancellationToken::new();
        self.claim = Some(UnderWay { tasks: ask.tasks, wait: ask.wait, recall: recall.clone(), idle });
        (claim, recall)
    }

    /// The claim under way was answered with so many tasks.
    pub(super) fn answered(&mut self, tasks: usize, due_later: bool) {
        self.claim = None;
        self.number += u64::from(tasks > 0);
        self.due_later = due_later;
        self.dry = if tasks == 0 { self.dry.saturating_add(1) } else { 0 };
        self.emptied = (tasks == 0).then(Instant::now);
    }

    /// Ends the wait of the claim under way. What it has brought is not lost.
    pub(super) fn recall(&self) {
        if let Some(claim) = &self.claim {
            claim.recall.cancel();
        }
    }

    /// How many ends have to have gathered to be worth a call.
    fn worth_a_call(&self) -> usize {
        match self.settles {
            0 => 1,
            // so the queue has something to do while the answer to the first call is read
            1 => SECOND,
            _ => usize::MAX,
        }
    }

    /// How many more ends are worth a call.
    pub(super) fn missing(&self) -> usize {
        self.worth_a_call().saturating_sub(self.unsettled.len())
    }

    /// The ends to send now, on their way from now on.
    pub(super) fn take_unsettled(&mut self) -> Vec<Settlement> {
        if self.unsettled.len() < self.worth_a_call() {
            return Vec::new();
        }
        // What is given back goes to the front: a claim of our own that still waits would take it again, and two calls on
        // their way could turn its order round.
        let give_back = self.claim.is_none() && self.settles == 0;
        let settling: Vec<_> = if give_back {
            // the last of them first, since those of the next call come before them
            self.unsettled.split_off(self.unsettled.len().saturating_sub(MOST))
        } else {
            let ended = |end: &mut Settlement| end.outcome != Outcome::Released;
            self.unsettled.extract_if(.., ended).take(MOST).collect()
        };
        self.settling += settling.len();
        self.settles += usize::from(!settling.is_empty());
        settling
    }

    /// A call with so many ends was answered.
    pub(super) fn settled(&mut self, ends: usize) {
        self.settling -= ends;
        self.settles -= 1;
    }

    pub(super) fn owed(&self) -> usize {
        self.unsettled.len() + self.settling
    }

    /// Starts afresh, under another incarnation: what is still to be settled is not its own any more.
    pub(super) fn start_afresh(&mut self) -> usize {
        self.recall();
        (self.number, self.claim, self.run_empty) = (1, None, false);
        std::mem::take(&mut self.unsettled).len()
    }
}

#[cfg(test)]
mod tests {
    use task_core::{
        Batch, Delivery, Queue as _, ResultMessage, TaskId, TaskMessage, TaskOptions, Timestamp, Token,
    };
    use task_queue_memory::MemoryQueue;

    use super::*;

    #[test]
    fn a_second_call_leaves_with_many_ends_and_what_is_given_back_waits_for_all_calls() {
        let mut lane = Lane::new(Name::DEFAULT_QUEUE, 1);
        let end = |outcome: Outcome| {
            let message =
                TaskMessage::new(TaskId::new(), "work", vec![0xc0], TaskOptions::default()).unwrap();
            let record = ResultMessage::pending(&message, Timestamp::default());
            let token = Token::new(Incarnation::new(), 1);
            Settlement::new(Delivery::new(token, message.to_record().into(), record), outcome)
        };
        let done = || end(Outcome::Completed { result: vec![0xc0].into() });
        lane.unsettled.push(done());
        assert_eq!((lane.missing(), lane.take_unsettled().len()), (0, 1), "at once, where none is under way");
        lane.unsettled.push(end(Outcome::Released));
        lane.unsettled.extend((2..SECOND).map(|_| done()));
        assert_eq!((lane.missing(), lane.take_unsettled().len()), (1, 0));
        lane.unsettled.push(done());
        assert_eq!(lane.take_unsettled().len(), SECOND - 1, "but what is given back");
        lane.unsettled.extend((0..2 * SECOND).map(|_| done()));
        assert_eq!(lane.take_unsettled().len(), 0, "two are under way");
        lane.settled(1);
        lane.settled(SECOND - 1);
        assert_eq!(lane.owed(), 1 + 2 * SECOND);
        assert_eq!(lane.take_unsettled().len(), 1 + 2 * SECOND);
        lane.settled(1 + 2 * SECOND);
        lane.unsettled.extend((0..MOST + 9).map(|_| end(Outcome::Released)));
        let first = lane.unsettled[0].delivery.id().clone();
        assert_eq!((lane.take_unsettled().len(), lane.take_unsettled().len()), (MOST, 0));
        lane.settled(MOST);
        let rest = lane.take_unsettled();
        assert!(
            rest.len() == 9 && *rest[0].delivery.id() == first,
            "the first come last, before those that went"
        );
    }

    #[tokio::test]
    async fn what_the_late_copy_of_an_empty_claim_takes_is_brought_by_the_next_claim() {
        // a live worker held a task that it did not know of, until it ended
        let memory = MemoryQueue::new();
        let mut lane = Lane::new(Name::DEFAULT_QUEUE, 1);
        let (worker, registration) =
            (Incarnation::new(), Arc::new(Registration::new("worker", ["work".parse().unwrap()])));
        let mut claim = || {
            let ask = Ask { lane: 0, tasks: 1, wait: Wait::No };
            lane.answered(0, false);
            lane.claim(ask, true, worker, &registration, false).0
        };
        let copy = claim();
        assert!(memory.dequeue(copy.clone()).await.unwrap().tasks.is_empty());
        let params = task_core::encode(&()).unwrap();
        let message = TaskMessage::new("a".parse().unwrap(), "work", params, TaskOptions::default()).unwrap();
        memory.enqueue(Batch::new(Name::DEFAULT_QUEUE, vec![message])).await.unwrap();
        let unheard = memory.dequeue(copy).await.unwrap().tasks;
        let next = memory.dequeue(claim()).await.unwrap().tasks;
        assert_eq!((next.len(), next[0].token), (1, unheard[0].token));
    }
}
