use std::fmt;

/// What a backend says of itself.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackendInfo {
    /// What it is, in a word or two and without secrets: `memory`, `redis 7.0.15 at localhost:6379`.
    pub backend: String,
    /// What it can do beyond the least.
    pub capabilities: Capabilities,
    /// What may take from it what it took in.
    pub durability: Durability,
    /// The version of its layout in the store, if it has one.
    pub layout: Option<String>,
    /// What the person who runs it should know, each with the remedy: `maxmemory-policy is allkeys-lru, …`.
    pub warnings: Vec<String>,
}

impl BackendInfo {
    /// A backend with these capabilities and this durability.
    pub fn new(backend: impl Into<String>, capabilities: Capabilities, durability: Durability) -> Self {
        Self { backend: backend.into(), capabilities, durability, layout: None, warnings: Vec::new() }
    }
}

/// What may take an acknowledged task from a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The end of this process.
    Process,
    /// The end of the server's process: it persists nothing, or now and then.
    Server,
    /// A power cut may undo the last second.
    EverySecond,
    /// Nothing but the loss of the disk.
    Always,
    /// Nothing but the loss of so many replicas and the primary together.
    Replicated(u32),
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("as long as this process lives"),
            Self::Server => f.write_str("as long as the server's process lives"),
            Self::EverySecond => f.write_str("on disk within a second"),
            Self::Always => f.write_str("on disk before the answer"),
            Self::Replicated(n) => write!(f, "on {n} replicas before the answer"),
        }
    }
}

/// One thing that a backend may be able to do. What it does not claim, it answers with
/// [`QueueError::Unsupported`](crate::QueueError::Unsupported).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Capability {
    /// Tasks of higher priority first.
    Priorities,
    /// Delayed starts.
    Delays,
    /// Expiry before the first start.
    Expiry,
    /// Unique keys.
    UniqueKeys,
    /// `cancel`.
    Cancel,
    /// Pause and resume.
    Pause,
    /// Replay.
    Replay,
    /// Delete.
    Delete,
    /// Purge.
    Purge,
    /// A limit on the queue's length.
    Limit,
    /// Commands to workers.
    WorkerCommands,
    /// Progress of running tasks.
    Progress,
    /// Results end with their retention.
    Retention,
    /// Suspects run alone.
    Suspects,
    /// Tasks of unknown names wait in lists of their own.
    UnknownNames,
    /// `wait` is pushed, not polled.
    Push,
    /// `stats`.
    Stats,
    /// `list`.
    List,
    /// `explain` beyond what the record says.
    Explain,
    /// `queues`.
    Queues,
    /// `message`.
    Messages,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 21] = [
        Self::Priorities,
        Self::Delays,
        Self::Expiry,
        Self::UniqueKeys,
        Self::Cancel,
        Self::Pause,
        Self::Replay,
        Self::Delete,
        Self::Purge,
        Self::Limit,
        Self::WorkerCommands,
        Self::Progress,
        Self::Retention,
        Self::Suspects,
        Self::UnknownNames,
        Self::Push,
        Self::Stats,
        Self::List,
        Self::Explain,
        Self::Queues,
        Self::Messages,
    ];

    /// What is missing without it, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Priorities => "priorities",
            Self::Delays => "delayed starts",
            Self::Expiry => "expiry",
            Self::UniqueKeys => "unique keys",
            Self::Cancel => "cancel",
            Self::Pause => "pause and resume",
            Self::Replay => "replay",
            Self::Delete => "delete",
            Self::Purge => "purge",
            Self::Limit => "limit on the queue's length",
            Self::WorkerCommands => "commands to workers",
            Self::Progress => "progress",
            Self::Retention => "retention",
            Self::Suspects => "running suspects alone",
            Self::UnknownNames => "lists of unknown names",
            Self::Push => "pushed results",
            Self::Stats => "statistics",
            Self::List => "lists of tasks",
            Self::Explain => "explanations",
            Self::Queues => "list of queues",
            Self::Messages => "reading of messages",
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities(u32);

impl Capabilities {
    /// The least: no capability.
    pub const NONE: Self = Self(0);

    /// Every capability that this release knows.
    pub fn all() -> Self {
        Capability::ALL.into_iter().collect()
    }

    /// Whether this one is among them.
    pub fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    /// The same without this one.
    #[must_use]
    pub fn without(self, capability: Capability) -> Self {
        Self(self.0 & !(1 << capability as u8))
    }

    /// Those that are not among them.
    pub fn missing(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| !self.has(*capability))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().fold(0, |set, capability| set | 1 << capability as u8))
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Capability::ALL.into_iter().filter(|c| self.has(*c))).finish()
    }
}
