//! Parking: workers that found nothing wait here for a token, which tells that there is something to look for.
//!
//! State: for each set of lists, those of this client who wait there. While there are any, one task blocks at the lists
//! on a connection of its own, and hands what it takes to whoever has waited longest.
//!
//! Invariant: a token that was taken is spent by a call that looks, or goes back. So a wait that is dropped, at any
//! moment, loses none: what arrives for it goes to the next who waits, and if there is none, back into its list. Only
//! with the end of the runtime or of the process a token is lost; then the next heartbeat or look of any worker, a few
//! seconds later, puts it back.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use task_core::{Incarnation, Name, QueueError};
use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    block::LATE,
    link::Link,
    script::{self, Call},
};

/// For how long the task blocks at once: so long its connection stays taken after the last who waited has left.
const BLOCK: Duration = Duration::from_secs(5);

/// The lists of a queue at which somebody waits, the more urgent first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lists {
    queue: Name,
    base: String,
    suffixes: [String; 2],
}

impl Lists {
    /// Where a worker waits for tasks: its own list, which calls it for names that not all know, and everybody's.
    pub(crate) fn for_tasks(queue: &Name, base: String, worker: Incarnation) -> Self {
        Self { queue: queue.clone(), base, suffixes: [format!("call:{worker}"), "wake".to_owned()] }
    }
}

/// A token that was taken out of a list, which goes back unless it is spent.
pub(crate) struct Token {
    link: Arc<Link>,
    lists: Lists,
    taken_from: String,
    spent: bool,
}

impl Token {
    /// Whoever took it has looked.
    pub(crate) fn spend(mut self) {
        self.spent = true;
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if self.spent {
            return;
        }
        // outside of a runtime nothing can be sent: as if the process had ended
        let Ok(runtime) = Handle::try_current() else { return };
        let mut call = Call::new(self.lists.base.clone());
        call.arg(self.taken_from.strip_prefix(&self.lists.base).unwrap_or_default());
        let (link, queue) = (self.link.clone(), self.lists.queue.clone());
        runtime.spawn(async move {
            if let Err(error) = link.run(&script::GIVE_BACK, &call, &queue).await {
                tracing::debug!(%error, %queue, "a token was lost; the next look puts it back");
            }
        });
    }
}

type Waiter = oneshot::Sender<Result<Token, QueueError>>;

/// Those of a client who wait.
#[derive(Default)]
pub(crate) struct Parking(Mutex<HashMap<Lists, VecDeque<Waiter>>>);

impl Parking {
    fn lock(&self) -> MutexGuard<'_, HashMap<Lists, VecDeque<Waiter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody still waits there; if not, the place is given up in the same step, so that the next who comes
    /// starts another task.
    fn is_used(&self, lists: &Lists) -> bool {
        let mut places = self.lock();
        let Some(waiters) = places.get_mut(lists) else { return false };
        waiters.retain(|waiter| !waiter.is_closed());
        let used = !waiters.is_empty();
        if !used {
            places.remove(lists);
        }
        used
    }

    fn next(&self, lists: &Lists) -> Option<Waiter> {
        self.lock().get_mut(lists)?.pop_front()
    }
}

/// Waits for a token.
///
/// # Errors
/// That the connection could not be made or broke; whoever waits then looks at once, as if it had been woken.
pub(crate) async fn park(link: &Arc<Link>, lists: &Lists) -> Result<Token, QueueError> {
    let (waiter, token) = oneshot::channel();
    let is_first = {
        let mut places = link.parking.lock();
        let is_first = !places.contains_key(lists);
        places.entry(lists.clone()).or_default().push_back(waiter);
        is_first
    };
    if is_first {
        tokio::spawn(watch(Place { link: link.clone(), lists: lists.clone() }));
    }
    token.await.unwrap_or_else(|_| Err(QueueError::unreachable("the runtime that waited has ended")))
}

/// A place that is watched. A task that ends with its runtime gives it up, so that the next who comes is not left there.
struct Place {
    link: Arc<Link>,
    lists: Lists,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.link.parking.lock().remove(&self.lists);
    }
}

async fn watch(place: Place) {
    let Place { link, lists } = &place;
    let keys: Vec<String> = lists.suffixes.iter().map(|suffix| format!("{}:{suffix}", lists.base)).collect();
    while link.parking.is_used(lists) {
        let taken = async {
            let mut connection = link.waiting().await?;
            let taken = link.block(&mut connection, &keys, BLOCK, LATE).await;
            link.idle.keep(connection);
            taken
        };
        match taken.await {
            Ok(None) => {}
            Ok(Some(taken_from)) => {
                let token = Token { link: link.clone(), lists: lists.clone(), taken_from, spent: false };
                hand_over(link, lists, token);
            }
            Err(error) => {
                while let Some(waiter) = link.parking.next(lists) {
                    waiter.send(Err(error.shared())).ok();
                }
                return;
            }
        }
    }
}

/// To whoever has waited longest and still does; else it is dropped, and so goes back.
fn hand_over(link: &Link, lists: &Lists, mut token: Token) {
    while let Some(waiter) = link.parking.next(lists) {
        match waiter.send(Ok(token)) {
            Ok(()) => return,
            Err(Ok(back)) => token = back,
            Err(Err(_)) => return,
        }
    }
}
