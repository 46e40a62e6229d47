use std::{future::Future, pin::Pin, time::Duration};

use task_core::Queue;

/// How the conformance suite opens a backend and moves its clock.
///
/// ```
/// use std::time::Duration;
/// use task_testkit::{Harness, ModelQueue};
///
/// struct Model(ModelQueue);
///
/// impl Harness for Model {
///     type Queue = ModelQueue;
///     async fn open() -> Self {
///         Self(ModelQueue::new())
///     }
///     fn queue(&self) -> &ModelQueue {
///         &self.0
///     }
///     async fn advance(&self, by: Duration) {
///         self.0.advance(by);
///     }
///     async fn outage(&self, by: Duration) {
///         self.0.outage(by);
///     }
/// }
///
/// task_testkit::conformance!(Model);
/// # fn main() {}
/// ```
pub trait Harness: Send + Sync + Sized + 'static {
    /// The backend.
    type Queue: Queue;

    /// A fresh and empty backend that nobody else uses.
    fn open() -> impl Future<Output = Self> + Send;

    /// That backend.
    fn queue(&self) -> &Self::Queue;

    /// Moves its clock on while it is alive: in small steps with a call in each, so that it sees no outage. Workers
    /// that do not beat meanwhile lose their leases.
    fn advance(&self, by: Duration) -> impl Future<Output = ()> + Send;

    /// Moves its clock on at once, as if nobody had called it meanwhile.
    fn outage(&self, by: Duration) -> impl Future<Output = ()> + Send;

    /// A fresh backend that keeps at most so many results of COMPLETED tasks, and the params of at most so many FAILED and
    /// CANCELLED ones. Default: `None`, since that can't be set here; then it is not tested.
    fn capped(_completed: usize, _replayable: usize) -> impl Future<Output = Option<Self>> + Send {
        async { None }
    }
}

/// One named promise of the suite: a sentence about what every backend does, and how that is tested.
pub struct Promise<H> {
    /// What it is about: the name of its module.
    pub subject: &'static str,
    /// The sentence.
    pub name: &'static str,
    #[doc(hidden)]
    pub check: for<'h> fn(&'h H) -> Pin<Box<dyn Future<Output = ()> + 'h>>,
}

/// The longest that one promise may take.
const DEADLINE: Duration = Duration::from_secs(60);

impl<H: Harness> Promise<H> {
    /// Tests it on a fresh backend.
    ///
    /// # Panics
    /// If the backend breaks it, or takes more than a minute.
    pub fn check(&self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.expect("a runtime starts").block_on(async {
            let check = async {
                let harness = H::open().await;
                (self.check)(&harness).await;
            };
            if tokio::time::timeout(DEADLINE, check).await.is_err() {
                panic!("{}::{} is not answered after {DEADLINE:?}", self.subject, self.name);
            }
        });
    }
}
