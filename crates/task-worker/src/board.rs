//! What a worker holds, for its loop and for its heartbeat, which is on another thread.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use task_core::{Delivery, Holds, Incarnation, Name, Settlement, TaskId, Token};

use crate::TaskContext;

/// A task that runs, or waits in the worker to.
pub(crate) struct Held {
    pub(crate) ctx: TaskContext,
}

impl Held {
    pub(crate) fn is(&self, queue: &Name, id: &TaskId, token: Token) -> bool {
        let delivery = self.ctx.delivery();
        delivery.token == token && delivery.record.id == *id && delivery.record.queue == *queue
    }
}

/// What loop and heartbeat both see. Locks are held for a look or a change, never across an await.
pub(crate) struct Board {
    owing: Mutex<Owing>,
    /// By the numbers that the loop gives them.
    held: Mutex<HashMap<u64, Held>>,
    concurrency: AtomicU32,
}

impl Board {
    pub(crate) fn new(incarnation: Incarnation, concurrency: u32) -> Self {
        let owing = Mutex::new(Owing { incarnation, queues: HashMap::new() });
        Self { owing, held: Mutex::default(), concurrency: AtomicU32::new(concurrency) }
    }

    fn owing(&self) -> MutexGuard<'_, Owing> {
        self.owing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        self.owing().incarnation
    }

    /// Under this incarnation it owes nothing.
    pub(crate) fn go_on_as(&self, incarnation: Incarnation) {
        *self.owing() = Owing { incarnation, queues: HashMap::new() };
    }

    /// A claim was answered with these; claims of the numbers in `open` may still bring some.
    pub(crate) fn brought(&self, queue: &Name, open: impl Iterator<Item = u64>, tasks: &[Arc<Delivery>]) {
        let mut owing = self.owing();
        let owed = owing.queues.entry(queue.clone()).or_default();
        for delivery in tasks {
            let number = delivery.token.claim;
            owed.up_to = owed.up_to.max(number);
            owed.tasks.entry(number).or_default().push_back(delivery.id().clone());
        }
        owed.open = open.filter(|number| *number < owed.up_to).collect();
    }

    /// The queue has answered how these ended.
    pub(crate) fn settled(&self, queue: &Name, settlements: &[Settlement]) {
        let mut owing = self.owing();
        let incarnation = owing.incarnation;
        let Some(owed) = owing.queues.get_mut(queue) else { return };
        for Settlement { delivery, .. } in settlements {
            if delivery.token.worker == incarnation {
                owed.forget(delivery.token.claim, delivery.id());
            }
        }
    }

    /// Who it is, and what it holds of this queue.
    pub(crate) fn holds(&self, queue: &Name) -> (Incarnation, Holds) {
        let owing = self.owing();
        let holds = owing.queues.get(queue).map(Owed::holds).unwrap_or_default();
        (owing.incarnation, holds)
    }

    pub(crate) fn concurrency(&self) -> u32 {
        self.concurrency.load(Ordering::Relaxed)
    }

    /// So many tasks run at once from now on.
    pub(crate) fn set_concurrency(&self, tasks: u32) {
        self.concurrency.store(tasks, Ordering::Relaxed);
    }

    /// Ends all that runs, as far as it can be ended.
    pub(crate) fn stop_attempts(&self) {
        for held in self.held().values() {
            held.ctx.signal().stop();
        }
    }

    /// Some of what runs, for people.
    pub(crate) fn shown(&self) -> String {
        let shown: Vec<String> = self
            .held()
            .values()
            .take(5)
            .map(|held| format!("{} {}", held.ctx.name(), held.ctx.id()))
            .collect();
        shown.join(", ")
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, HashMap<u64, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one incarnation was given and has not heard to be settled: at no moment less than what it holds, or than what
/// the queue has as held by it and will be told of. So a beat may say it without a look at what is on its way elsewhere.
struct Owing {
    incarnation: Incarnation,
    queues: HashMap<Name, Owed>,
}

/// The same in one named queue.
#[derive(Default)]
struct Owed {
    /// The number of the last claim whose answer has arrived with tasks: those before it are answered, too.
    up_to: u64,
    /// But for these, which are under way, or brought nothing so far.
    open: Vec<u64>,
    /// By claims. Attempts end about in the order in which they came.
    tasks: BTreeMap<u64, VecDeque<TaskId>>,
}

impl Owed {
    fn forget(&mut self, claim: u64, id: &TaskId) {
        let Some(tasks) = self.tasks.get_mut(&claim) else { return };
        if let Some(place) = tasks.iter().position(|owed| owed == id) {
            tasks.remove(place);
        }
        if tasks.is_empty() {
            self.tasks.remove(&claim);
        }
    }

    fn holds(&self) -> Holds {
        let mut holds = Holds::new(self.up_to, Vec::new());
        holds.except.clone_from(&self.open);
        for (claim, tasks) in &self.tasks {
            if holds.tasks.len() + tasks.len() > Holds::MOST {
                holds.up_to = claim - 1;
                break;
            }
            holds.tasks.extend(tasks.iter().map(|id| (*claim, id.clone())));
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_holds_very_much_speaks_of_its_first_claims_alone() {
        let mut owed = Owed { up_to: 3, ..Owed::default() };
        for claim in 1..=3 {
            owed.tasks.insert(claim, (0..400).map(|_| TaskId::new()).collect());
        }
        let holds = owed.holds();
        assert_eq!((holds.up_to, holds.tasks.len()), (2, 800));
        let second = holds.tasks[400].clone();
        assert_eq!(second.0, 2);
        owed.forget(2, &second.1);
        assert!(!owed.holds().tasks.contains(&second));
        owed.tasks.remove(&1);
        assert_eq!((owed.holds().up_to, owed.holds().tasks.len()), (3, 799));
    }

    #[test]
    fn a_claim_is_spoken_of_once_it_has_arrived_whatever_became_of_those_before_it() {
        // what a claim had taken whose answer was on its way was given to others, as the next had been answered
        let board = Board::new(Incarnation::new(), 1);
        let queue = Name::DEFAULT_QUEUE;
        let delivery = |claim| {
            let message =
                task_core::TaskMessage::new(TaskId::new(), "a", vec![0xc0], Default::default()).unwrap();
            let record = task_core::ResultMessage::pending(&message, Default::default());
            Delivery::new(Token::new(board.incarnation(), claim), &message.to_record().into(), record)
        };
        let said = || {
            let holds = board.holds(&queue).1;
            (holds.up_to, holds.except, holds.tasks.iter().map(|(claim, _)| *claim).collect::<Vec<_>>())
        };
        board.brought(&queue, [1, 3].into_iter(), &[delivery(2).into()]);
        assert_eq!(said(), (2, vec![1], vec![2]));
        board.brought(&queue, [3].into_iter(), &[delivery(1).into()]);
        assert_eq!(said(), (2, Vec::new(), vec![1, 2]));
        board.brought(&queue, [3].into_iter(), &[]);
        assert_eq!(said(), (2, Vec::new(), vec![1, 2]), "an empty claim is spoken of by none");
    }
}
