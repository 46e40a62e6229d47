use std::{collections::BTreeSet, sync::Arc, time::Duration};

use task_core::{Claim, Incarnation, Name, Outcome, Registration, Settlement};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::share::{Ask, Standing, View, Wait};

/// How long a claim waits for a task. A worker that stops recalls it.
const LONG: Duration = Duration::from_secs(5);
/// The same where others wait for the slots, and in a drain, which looks so often whether all is done.
const SHORT: Duration = Duration::from_millis(200);
/// While one or two calls with ends are on their way, another leaves with so many or more: fewer cost less if they wait.
const SECOND: usize = 32;
const THIRD: usize = 256;
/// No more ends leave in one call, so that it keeps the queue from others for a moment only.
pub(super) const MOST: usize = 512;
/// A queue that was found empty is left alone so long while others have tasks.
const REST: Duration = Duration::from_millis(20);

/// A named queue, as the worker stands to it.
pub(super) struct Lane {
    pub(super) name: Name,
    pub(super) standing: Standing,
    /// The number that no claim had yet.
    number: u64,
    /// Those of claims that brought nothing. They are made again by their numbers: a copy of one that arrives late may
    /// take tasks, and nobody would ask for them by another.
    again: BTreeSet<u64>,
    pub(super) claims: Vec<UnderWay>,
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
    number: u64,
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
            again: BTreeSet::new(),
            claims: Vec::new(),
            settling: 0,
            settles: 0,
            unsettled: Vec::new(),
            dry: 0,
            due_later: false,
            run_empty: false,
            emptied: None,
        }
    }

    /// Where so many claims may be under way.
    pub(super) fn view(&self, claims: usize) -> View {
        let rested = self.emptied.is_none_or(|emptied| emptied.elapsed() >= REST);
        let asked = (!self.claims.is_empty()).then(|| self.asked());
        let remembered = !self.again.is_empty() || self.number - self.heard() <= Claim::IN_FLIGHT;
        let another = self.claims.len() < claims && remembered;
        View { standing: self.standing, asked, another, rested }
    }

    /// How many tasks claims under way may bring.
    pub(super) fn asked(&self) -> u32 {
        self.claims.iter().map(|claim| claim.tasks).sum()
    }

    /// The numbers of claims that may still bring tasks: they are under way, or brought nothing so far.
    pub(super) fn open(&self) -> impl Iterator<Item = u64> {
        self.claims.iter().map(|claim| claim.number).chain(self.again.iter().copied())
    }

    /// All claims up to this number have brought tasks, which have arrived.
    fn heard(&self) -> u64 {
        self.open().min().unwrap_or(self.number) - 1
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
        let number = self.again.pop_first().unwrap_or(self.number);
        self.number = self.number.max(number + 1);
        let recall = CancellationToken::new();
        self.claims.push(UnderWay { number, tasks: ask.tasks, wait: ask.wait, recall: recall.clone(), idle });
        let mut claim = Claim::new(self.name.clone(), worker, registration.clone(), number);
        (claim.acked, claim.max_tasks, claim.idle) = (self.heard(), ask.tasks as usize, idle);
        claim.wait = match ask.wait {
            Wait::No => Duration::ZERO,
            Wait::Long if !drain => LONG,
            Wait::Long | Wait::Short => SHORT,
        };
        (claim, recall)
    }

    /// The claim of this number was answered with so many tasks.
    pub(super) fn answered(&mut self, number: u64, tasks: usize, due_later: bool) {
        self.claims.retain(|claim| claim.number != number);
        if tasks == 0 {
            self.again.insert(number);
        }
        self.due_later = due_later;
        // while another is under way, that one may bring some
        let dry = u32::from(self.claims.is_empty());
        self.dry = if tasks == 0 { self.dry.saturating_add(dry) } else { 0 };
        self.emptied = (tasks == 0).then(Instant::now);
    }

    /// Ends the waits of the claims under way. What they have brought is not lost.
    pub(super) fn recall(&self) {
        self.claims.iter().for_each(|claim| claim.recall.cancel());
    }

    /// How many ends have to have gathered to be worth a call.
    fn worth_a_call(&self) -> usize {
        match self.settles {
            0 => 1,
            // so the queue has something to do while the answer to the first call is read
            1 => SECOND,
            2 => THIRD,
            _ => usize::MAX,
        }
    }

    /// How many more ends are worth a call.
    pub(super) fn missing(&self) -> usize {
        self.worth_a_call().saturating_sub(self.unsettled.len())
    }

    /// No call with ends is under way.
    pub(super) fn settles_nothing(&self) -> bool {
        self.settles == 0
    }

    /// The ends to send now, so many at most, on their way from now on.
    pub(super) fn take_unsettled(&mut self, most: usize) -> Vec<Settlement> {
        if self.unsettled.len() < self.worth_a_call() {
            return Vec::new();
        }
        // What is given back goes to the front: a claim of our own that still waits would take it again, and two calls on
        // their way could turn its order round.
        let give_back = self.claims.is_empty() && self.settles == 0;
        let settling: Vec<_> = if give_back {
            // the last of them first, since those of the next call come before them
            self.unsettled.split_off(self.unsettled.len().saturating_sub(most))
        } else {
            let ended = |end: &mut Settlement| end.outcome != Outcome::Released;
            self.unsettled.extract_if(.., ended).take(most).collect()
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
        (self.number, self.run_empty) = (1, false);
        self.again.clear();
        self.claims.clear();
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
    fn further_calls_leave_with_many_ends_and_what_is_given_back_waits_for_all_calls() {
        let mut lane = Lane::new(Name::DEFAULT_QUEUE, 1);
        let end = |outcome: Outcome| {
            let message =
                TaskMessage::new(TaskId::new(), "work", vec![0xc0], TaskOptions::default()).unwrap();
            let record = ResultMessage::pending(&message, Timestamp::default());
            let token = Token::new(Incarnation::new(), 1);
            Settlement::new(Delivery::new(token, &message.to_record().into(), record), outcome)
        };
        let done = || end(Outcome::Completed { result: vec![0xc0].into() });
        lane.unsettled.push(done());
        assert_eq!(
            (lane.missing(), lane.take_unsettled(MOST).len()),
            (0, 1),
            "at once, where none is under way"
        );
        lane.unsettled.push(end(Outcome::Released));
        lane.unsettled.extend((2..SECOND).map(|_| done()));
        assert_eq!((lane.missing(), lane.take_unsettled(MOST).len()), (1, 0));
        lane.unsettled.push(done());
        assert_eq!(lane.take_unsettled(MOST).len(), SECOND - 1, "but what is given back");
        lane.unsettled.extend((0..2 * SECOND).map(|_| done()));
        assert_eq!(lane.take_unsettled(MOST).len(), 0, "two are under way");
        lane.unsettled.extend((2 * SECOND..THIRD).map(|_| done()));
        assert_eq!((lane.missing(), lane.take_unsettled(MOST).len()), (0, THIRD));
        lane.unsettled.extend((0..2 * THIRD).map(|_| done()));
        assert_eq!(lane.take_unsettled(MOST).len(), 0, "three are");
        lane.settled(1);
        lane.settled(SECOND - 1);
        lane.settled(THIRD);
        assert_eq!(lane.owed(), 1 + 2 * THIRD);
        assert_eq!(
            (lane.take_unsettled(MOST).len(), lane.owed()),
            (MOST, 1 + MOST),
            "and what is given back waits"
        );
        lane.settled(MOST);
        assert_eq!(lane.take_unsettled(MOST).len(), 1);
        lane.settled(1);
        lane.unsettled.extend((0..MOST + 9).map(|_| end(Outcome::Released)));
        let first = lane.unsettled[0].delivery.id().clone();
        assert_eq!((lane.take_unsettled(MOST).len(), lane.take_unsettled(MOST).len()), (MOST, 0));
        lane.settled(MOST);
        let rest = lane.take_unsettled(MOST);
        assert!(
            rest.len() == 9 && *rest[0].delivery.id() == first,
            "the first come last, before those that went"
        );
    }

    #[test]
    fn claims_under_way_are_known_by_their_numbers_and_none_is_forgotten_by_the_queue() {
        let mut lane = Lane::new(Name::DEFAULT_QUEUE, 1);
        let (worker, registration) = (Incarnation::new(), Arc::new(Registration::new("worker", [])));
        let claim = |lane: &mut Lane| {
            let ask = Ask { lane: 0, tasks: 5, wait: Wait::No };
            let claim = lane.claim(ask, false, worker, &registration, false).0;
            (claim.number, claim.acked)
        };
        assert!(lane.view(1).another && lane.view(1).asked.is_none());
        assert_eq!(claim(&mut lane), (1, 0));
        assert_eq!((lane.view(1).another, lane.view(2).another, lane.view(2).asked), (false, true, Some(5)));
        assert_eq!(claim(&mut lane), (2, 0));
        assert_eq!((lane.view(2).another, lane.view(2).asked), (false, Some(10)));
        lane.answered(2, 5, false);
        assert_eq!((lane.heard(), claim(&mut lane)), (0, (3, 0)), "the first may have taken tasks");
        lane.answered(1, 0, false);
        assert_eq!(lane.dry, 0, "another is under way, and may bring some");
        assert_eq!((lane.heard(), claim(&mut lane)), (0, (1, 0)), "and a late copy of it may still");
        lane.answered(1, 5, false);
        assert_eq!((lane.heard(), claim(&mut lane)), (2, (4, 2)));
        // while one is not answered, the others go no further than the queue remembers it
        lane.answered(4, 5, false);
        for number in 5..3 + Claim::IN_FLIGHT {
            assert_eq!(claim(&mut lane), (number, 2));
            lane.answered(number, 5, false);
        }
        assert!(!lane.view(2).another);
        lane.answered(3, 0, false);
        assert!(lane.view(2).another, "that one is made again");
        assert_eq!(claim(&mut lane), (3, 2));
        lane.answered(3, 5, false);
        assert_eq!((lane.heard(), claim(&mut lane)), (10, (11, 10)));
        lane.answered(11, 0, false);
        assert_eq!(lane.dry, 1);
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
            lane.answered(1, 0, false);
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
