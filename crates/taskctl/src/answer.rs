use task_core::{
    BackendInfo, CancelAnswer, ControlAnswer, Enqueued, Explanation, Name, QueueStats, ResultMessage, TaskId,
    TaskMessage,
};

/// What a command has to say; most say one thing, some one after the other.
#[derive(Debug)]
pub(crate) enum Answer {
    /// What became of a task to enqueue.
    Enqueued {
        id: TaskId,
        queue: Name,
        task: Name,
        answer: Enqueued,
        waits: bool,
    },
    /// A task whose result was asked for, final or not.
    Result(Box<ResultMessage>),
    /// A task whose status was asked for.
    Status(Box<ResultMessage>),
    Explained {
        explanation: Box<Explanation>,
        /// Of the workers that may take it, if it waits for one.
        slots: Option<Slots>,
    },
    /// Why there is no result yet, while it is waited for.
    Waits(Box<Explanation>),
    NoTask {
        id: TaskId,
        queue: Name,
        expired: bool,
        /// Another named queue that has a task of this id.
        elsewhere: Option<Name>,
    },
    Cancelled {
        id: TaskId,
        queue: Name,
        answer: CancelAnswer,
    },
    Controlled {
        deed: Deed,
        id: Option<TaskId>,
        queue: Name,
        answer: ControlAnswer,
        /// Nobody has enqueued anything in this named queue: its name may be a slip.
        unused: bool,
    },
    /// So many FAILED tasks run again; those that do not were told before.
    ReplayedAll(u64),
    Tasks {
        tasks: Vec<ResultMessage>,
        more: bool,
    },
    Stats {
        stats: Box<QueueStats>,
        backend: Box<BackendInfo>,
    },
    Workers {
        stats: Box<QueueStats>,
    },
    /// A backend may know its queues and have no statistics.
    Queues(Vec<(Name, Option<QueueStats>)>),
    /// A task to export.
    Message(Box<TaskMessage>),
    Exported {
        tasks: u64,
        gone: u64,
    },
    Imported(Imported),
    /// One of many that was not done.
    Refused(Refusal),
}

/// How many tasks the workers of a queue run, and how many they can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Slots {
    pub(crate) busy: u32,
    pub(crate) all: u32,
}

impl Slots {
    /// Of the live workers that know this name.
    pub(crate) fn of(stats: &QueueStats, task: &Name) -> Self {
        let knowing = || stats.workers.iter().filter(|worker| worker.names.contains(task));
        Self {
            busy: knowing().map(|worker| worker.busy).sum(),
            all: knowing().map(|worker| worker.concurrency).sum(),
        }
    }
}

/// What was done to a task or a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Replay,
    Delete,
    Pause,
    Resume,
    Purge,
}

impl Deed {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Delete => "delete",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Purge => "purge",
        }
    }
}

/// One of many that was not done, and why.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) why: String,
    /// What was given is wrong in itself; else the queue does not allow it.
    pub(crate) wrong_input: bool,
}

/// What became of the lines of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Imported {
    pub(crate) enqueued: u64,
    /// With the same params, under the same id.
    pub(crate) already_there: u64,
    /// By their id, by their unique key, or for want of room.
    pub(crate) refused: u64,
    pub(crate) bad_lines: u64,
}
