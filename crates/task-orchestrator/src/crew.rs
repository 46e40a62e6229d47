//! Those who run the tasks, wherever they do, as the rest of the orchestrator sees them.

use tokio::sync::{mpsc, watch};

/// What a crew can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Finish what runs, within the grace.
    Stop,
    /// Stop without waiting for what runs.
    StopNow,
    /// Start afresh, one after the other.
    Reload,
}

/// How a crew is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// So many workers live.
    pub(crate) alive: usize,
    /// None lives, nor will within the next minute.
    pub(crate) all_parked: bool,
}

/// A running crew.
pub(crate) struct Crew {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) health: watch::Receiver<Health>,
    /// Ends when all workers have ended.
    pub(crate) over: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Crew {
    /// A crew whose `life` hears commands and tells how it is.
    pub(crate) fn start<F>(life: impl FnOnce(mpsc::Receiver<Command>, watch::Sender<Health>) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (commands, heard) = mpsc::channel(8);
        let (told, health) = watch::channel(Health::default());
        Self { commands, health, over: tokio::spawn(life(heard, told)) }
    }

    /// Tells it; one that is over hears nothing.
    pub(crate) async fn tell(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }
}
