//! What a journal kept stays what it means, as long as [`State::VERSION`] is the same.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use task_core::{
    Batch, Claim, Failure, FailureKind, Holds, Incarnation, Name, Outcome, Registration, SettleRequest,
    Settlement, TaskMessage, TaskOptions, Timestamp,
};
use task_queue_memory::state::{
    Apply, Beat, Cancel, Command, Enqueue, Granted, Housekeep, Limits, Recorded, Release, Replay, SetPaused,
    Settle, State, Tick,
};

const QUEUE: Name = Name::DEFAULT_QUEUE;
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Commands with their times, and what they led to.
type Kept = (Vec<(Timestamp, Command<'static>)>, State);

fn file() -> PathBuf {
    let name = format!("tests/kept/version-{}", State::VERSION);
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn empty() -> State {
    State::new(QUEUE, Limits::default(), START)
}

/// Carries requests out, and writes them down.
struct Journal {
    now: Timestamp,
    commands: Vec<(Timestamp, Vec<u8>)>,
    state: State,
}

impl Journal {
    fn apply<R: Recorded>(&mut self, request: R) -> <R as Apply>::Reply {
        self.commands.push((self.now, rmp_serde::to_vec(&request.command()).unwrap()));
        self.state.apply(request, self.now)
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds.div_ceil(5) {
            self.now = self.now + Duration::from_secs(5);
            self.apply(Tick);
        }
    }

    fn enqueue(&mut self, id: &str, task: &'static str, options: TaskOptions) {
        let message = TaskMessage::new(id.parse().unwrap(), task, vec![0xc0], options).unwrap();
        let enqueue = Enqueue::new(Batch::new(QUEUE, vec![message]), self.now).unwrap();
        self.apply(enqueue);
    }

    fn claim(&mut self, worker: Incarnation, number: u64, tasks: usize) -> Granted {
        let registration = Arc::new(Registration::new("worker_1", ["send".parse().unwrap()]));
        let mut claim = Claim::new(QUEUE, worker, registration, number);
        claim.max_tasks = tasks;
        self.apply(claim).unwrap()
    }

    fn settle(&mut self, granted: Granted, outcomes: impl IntoIterator<Item = Outcome>) {
        let claimed = task_core::Claimed::from(granted);
        let ends = claimed.tasks.into_iter().zip(outcomes).map(|(task, end)| Settlement::new(task, end));
        let request = SettleRequest::new(QUEUE, ends.collect());
        self.apply(Settle::try_from(request).unwrap());
    }
}

/// A bit of everything: each list and table of a state has something in it at the end.
fn history() -> Journal {
    let mut journal = Journal { now: START, commands: Vec::new(), state: empty() };
    let [first, second]: [Incarnation; 2] =
        ["0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"]
            .map(|id| id.parse().unwrap());
    let options = TaskOptions::default;
    for id in ["done", "again", "failed", "died", "back"] {
        journal.enqueue(id, "send", options());
    }
    journal.enqueue("later", "send", options().delay(Duration::from_secs(3600)).unique("key"));
    journal.enqueue(
        "expires",
        "send",
        options().delay(Duration::from_secs(60)).expires(Duration::from_secs(30)),
    );
    journal.enqueue("unknown", "nobody", options().priority(90));
    journal.enqueue("cancelled", "send", options().priority(10));
    let ran = journal.claim(first, 1, 3);
    let error = || Failure::new(FailureKind::Error, "no");
    journal.settle(
        ran,
        [
            Outcome::Completed { result: vec![0xc3].into() },
            Outcome::Retry { error: error(), delay: Duration::from_secs(60) },
            Outcome::Failed { error: error() },
        ],
    );
    journal.claim(second, 1, 2);
    let registration = Arc::new(Registration::new("worker_2", ["send".parse().unwrap()]));
    let holds = Some(Holds::new(1, vec![(1, "died".parse().unwrap())]));
    journal.apply(Beat { worker: second, registration, heard: 0, holds, busy: 2, progress: Vec::new() });
    journal.apply(Cancel("cancelled".parse().unwrap()));
    journal.apply(Release(second));
    journal.claim(first, 2, 1);
    journal.pass(40);
    journal.apply(Replay("failed".parse().unwrap()));
    journal.apply(Housekeep);
    journal.apply(SetPaused(true));
    journal
}

fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap()
}

#[test]
fn what_was_kept_leads_to_the_same_or_the_version_has_risen() {
    // the form of the state changed twice under one version: what an earlier program kept was then taken for damaged
    let path = file();
    if std::env::var_os("TASKS_WRITE_KEPT").is_some() {
        let Journal { commands, state, .. } = history();
        let read = |bytes: &Vec<u8>| rmp_serde::from_slice::<Command<'_>>(bytes).unwrap();
        let commands: Vec<_> = commands.iter().map(|(time, command)| (*time, read(command))).collect();
        fs::write(&path, bytes(&(commands, state))).unwrap();
    }
    let changed = "the same commands lead to another state, or a state is written in another way: let State::VERSION rise, \
                   and write its file with TASKS_WRITE_KEPT=1";
    let kept = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; {changed}", path.display()));
    let (commands, state): Kept = rmp_serde::from_slice(&kept).expect(changed);
    let mut replayed = empty();
    for (time, command) in &commands {
        replayed.apply(command.clone(), *time);
    }
    assert!(bytes(&replayed) == bytes(&state), "{changed}");
    assert!(bytes(&(&commands, &state)) == kept, "{changed}");
    assert!(bytes(&history().state) == bytes(&state), "{changed}");
}
