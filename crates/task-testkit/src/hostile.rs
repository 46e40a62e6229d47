use std::{
    collections::{BTreeMap, VecDeque},
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use task_core::{
    BackendInfo, Batch, CancelAnswer, Claim, Claimed, Command, ControlAnswer, EnqueueReply, Explanation,
    Filter, Heartbeat, HeartbeatReply, Incarnation, Lookup, Name, Page, Queue, QueueError, QueueStats,
    SettleReply, SettleRequest, TaskId, TaskMessage,
};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing.
    None,
    /// It fails before it has any effect.
    Fail,
    /// It is never answered, and has no effect.
    Hang,
    /// It has its effect, and its answer is lost.
    LoseReply,
    /// It is delivered twice, and the second answer arrives.
    Twice,
    /// Its answer is lost, and it has its effect only [`LATE`](Self::LATE) later, when its sender may long have sent it
    /// again and gone on.
    Late,
}

impl Mishap {
    /// Everything that may go wrong.
    pub const ALL: [Self; 5] = [Self::Fail, Self::Hang, Self::LoseReply, Self::Twice, Self::Late];
    /// How late a call comes that is [late](Self::Late).
    pub const LATE: Duration = Duration::from_secs(15);
}

/// A backend with a bad network before it. What goes wrong with a call is said by a plan for its method, else by the
/// plan for all methods, else by chance, if any of these was made; and nothing works while the network is
/// [`cut`](Self::cut).
///
/// A cheap handle: clones are one network, so that a test keeps one and changes the plan while another is in use.
///
/// ```
/// use task_core::TaskQueue;
/// use task_testkit::{Hostile, Method, Mishap, ModelQueue};
///
/// // every second enqueue has its effect, and its answer is lost
/// let plan = [Mishap::None, Mishap::LoseReply].into_iter().cycle().take(100);
/// let queue = TaskQueue::new(Hostile::new(ModelQueue::new()).plan_for(Method::Enqueue, plan));
/// ```
pub struct Hostile<Q> {
    inner: Arc<Q>,
    network: Arc<Mutex<Network>>,
}

#[derive(Default)]
struct Network {
    cut: bool,
    way: Option<(Duration, Rng)>,
    plan: VecDeque<Mishap>,
    by_method: BTreeMap<Method, VecDeque<Mishap>>,
    chance: Option<(Rng, u32, Vec<Mishap>)>,
}

impl<Q> Clone for Hostile<Q> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), network: self.network.clone() }
    }
}

impl<Q: Queue> Hostile<Q> {
    /// A wrapper with which nothing goes wrong yet.
    pub fn new(inner: Q) -> Self {
        Self { inner: Arc::new(inner), network: Arc::default() }
    }

    /// What goes wrong with the calls to come, of whatever method, in their order; after that, nothing.
    #[must_use]
    pub fn plan(self, mishaps: impl IntoIterator<Item = Mishap>) -> Self {
        self.network().plan.extend(mishaps);
        self
    }

    /// The same for the calls of one method.
    #[must_use]
    pub fn plan_for(self, method: Method, mishaps: impl IntoIterator<Item = Mishap>) -> Self {
        self.network().by_method.entry(method).or_default().extend(mishaps);
        self
    }

    /// One call in so many meets one of these mishaps, by a chance that follows from the seed.
    ///
    /// # Panics
    /// If there is no mishap to choose from.
    #[must_use]
    pub fn by_chance(self, seed: u64, one_in: u32, mishaps: &[Mishap]) -> Self {
        assert!(!mishaps.is_empty(), "by chance one of no mishaps: name some");
        self.network().chance = Some((Rng::with_seed(seed), one_in.max(1), mishaps.to_vec()));
        self
    }

    /// Each call takes so long to get there, and its answer so long and up to three times as long, by a chance that
    /// follows from the seed: so answers overtake each other.
    #[must_use]
    pub fn distant(self, way: Duration, seed: u64) -> Self {
        self.network().way = Some((way, Rng::with_seed(seed)));
        self
    }

    /// From now on every call fails before it has any effect.
    pub fn cut(&self) {
        self.network().cut = true;
    }

    /// The network is as before it was cut.
    pub fn mend(&self) {
        self.network().cut = false;
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn meet<T, F>(
        &self,
        method: Method,
        call: impl Fn(Arc<Q>) -> F + Send + 'static,
    ) -> Result<T, QueueError>
    where
        F: Future<Output = Result<T, QueueError>> + Send + 'static,
        T: Send,
    {
        let (next, [there, back]) = {
            let mut network = self.network();
            (network.next(method), network.ways())
        };
        travel(there).await;
        let answer = self.call(next, call).await;
        travel(back).await;
        answer
    }

    async fn call<T, F>(
        &self,
        mishap: Mishap,
        call: impl Fn(Arc<Q>) -> F + Send + 'static,
    ) -> Result<T, QueueError>
    where
        F: Future<Output = Result<T, QueueError>> + Send + 'static,
        T: Send,
    {
        match mishap {
            Mishap::None => call(self.inner.clone()).await,
            Mishap::Fail => Err(QueueError::unreachable("a planned failure before the call")),
            Mishap::Hang => pending().await,
            Mishap::LoseReply => {
                call(self.inner.clone()).await?;
                Err(QueueError::answer_lost("a planned loss of the answer"))
            }
            Mishap::Twice => {
                call(self.inner.clone()).await?;
                call(self.inner.clone()).await
            }
            Mishap::Late => {
                let late = call(self.inner.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(Mishap::LATE).await;
                    late.await.map(drop)
                });
                Err(QueueError::answer_lost("a planned delay of the call"))
            }
        }
    }
}

async fn travel(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl Network {
    /// How long a call travels there and back.
    fn ways(&mut self) -> [Duration; 2] {
        let ways = |(way, rng): &mut (Duration, Rng)| [*way, way.mul_f64(1.0 + 2.0 * rng.f64())];
        self.way.as_mut().map(ways).unwrap_or_default()
    }

    fn next(&mut self, method: Method) -> Mishap {
        if self.cut {
            return Mishap::Fail;
        }
        let planned = self.by_method.get_mut(&method).and_then(VecDeque::pop_front);
        if let Some(planned) = planned.or_else(|| self.plan.pop_front()) {
            return planned;
        }
        let Some((rng, one_in, mishaps)) = &mut self.chance else { return Mishap::None };
        if rng.u32(0..*one_in) > 0 {
            return Mishap::None;
        }
        mishaps[rng.usize(0..mishaps.len())]
    }
}

macro_rules! methods {
    ($($name:ident $method:ident($([$($by:tt)?] $arg:ident: $ty:ty),*) -> $answer:ty;)*) => {
        /// A method of [`Queue`](task_core::Queue).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Method {
            $(
                #[doc = concat!("[`Queue::", stringify!($method), "`](task_core::Queue::", stringify!($method), ").")]
                $name,
            )*
        }

        impl Method {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        impl<Q: Queue> Queue for Hostile<Q> {
            $(
                #[allow(clippy::clone_on_copy, reason = "one text for arguments of every kind")]
                async fn $method(&self, $($arg: $($by)? $ty),*) -> Result<$answer, QueueError> {
                    $(let $arg: $ty = $arg.clone();)*
                    let call = move |inner: Arc<Q>| {
                        $(let $arg = $arg.clone();)*
                        async move { inner.$method($($($by)? $arg),*).await }
                    };
                    self.meet(Method::$name, call).await
                }
            )*
        }
    };
}

methods! {
    Enqueue enqueue([] batch: Batch) -> EnqueueReply;
    Dequeue dequeue([] claim: Claim) -> Claimed;
    Settle settle([] request: SettleRequest) -> SettleReply;
    Heartbeat heartbeat([] beat: Heartbeat) -> HeartbeatReply;
    Release release([&] queue: Name, [] worker: Incarnation) -> u64;
    Result result([&] queue: Name, [&] id: TaskId) -> Lookup;
    Info info() -> BackendInfo;
    Wait wait([&] queue: Name, [&] id: TaskId, [] timeout: Duration) -> Lookup;
    Cancel cancel([&] queue: Name, [&] id: TaskId) -> CancelAnswer;
    Control control([&] queue: Name, [] command: Command) -> ControlAnswer;
    Stats stats([&] queue: Name) -> QueueStats;
    List list([&] queue: Name, [] filter: Filter) -> Page;
    Explain explain([&] queue: Name, [&] id: TaskId) -> Option<Explanation>;
    Queues queues() -> Vec<Name>;
    Message message([&] queue: Name, [&] id: TaskId) -> Option<TaskMessage>;
}
