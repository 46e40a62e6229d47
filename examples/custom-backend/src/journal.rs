//! The journal: a file that begins with what the queues were when it was written, and goes on with what has changed since.
//!
//! It is the truth: what is not in it has not happened. So a frame that could not be written is taken out again, and where
//! that, too, fails, or a sync, nobody knows what is on the disk; then it is *doubtful*, and nothing is written before the
//! whole has been written anew from memory, which has all that was ever answered for.

use std::{
    collections::BTreeMap,
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use task_core::{Name, QueueError, Timestamp};
use task_queue_memory::state::{Command, Limits, State};

use crate::{
    folder::{Folder, failed},
    frame::{self, Found},
};

/// Where a new journal is written, before it takes the place of the old one.
const ASIDE: &str = "journal.new";

/// The named queues.
pub(crate) type Queues = BTreeMap<Name, State>;

/// What a journal begins with: for people, and for programs of another version.
fn first_line() -> String {
    format!("a journal of tasks, version {}\n", State::VERSION)
}

/// The body of the first frame.
#[derive(Deserialize)]
struct Snapshot {
    time: Timestamp,
    queues: Queues,
}

/// The body of each frame behind it: commands that were carried out at one time, each with its queue.
#[derive(Serialize, Deserialize)]
struct Batch {
    time: Timestamp,
    commands: Vec<(Name, Bytes)>,
}

/// Why a batch is not in the journal.
#[derive(Clone, Debug)]
pub(crate) enum NotWritten {
    /// Surely it isn't.
    Refused(String),
    /// It may be found there after a crash.
    Unknown(String),
}

impl From<NotWritten> for QueueError {
    fn from(error: NotWritten) -> Self {
        match error {
            NotWritten::Refused(why) => Self::unreachable(why),
            NotWritten::Unknown(why) => Self::answer_lost(why),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Journal {
    folder: Folder,
    path: PathBuf,
    file: File,
    /// How far it is whole.
    length: u64,
    doubtful: bool,
    /// Shorter than this it is not written anew.
    least: u64,
    /// How long it may become before that.
    limit: u64,
}

impl Journal {
    /// Opens the journal of a folder, or begins it, and answers what the queues are, and the last time in it.
    pub(crate) fn open(folder: &Path, least: u64) -> Result<(Self, Queues, Timestamp), QueueError> {
        let folder = Folder::open(folder)?;
        let path = folder.file("journal");
        let (mut queues, mut time, mut length) = (Queues::new(), Timestamp::default(), None);
        if path.exists() {
            let bytes = fs::read(&path).map_err(|error| failed(&path, "it can't be read", &error))?;
            let read = replay(&path, &bytes)?;
            if read.length < bytes.len() {
                tracing::warn!(
                    journal = %path.display(), at = read.length, bytes = bytes.len() - read.length,
                    "the last write was not finished, and is cut off: nobody was answered for it"
                );
            }
            (queues, time, length) = (read.queues, read.time, Some(read.length as u64));
        }
        let opened = |error| failed(&path, "it can't be opened", &error);
        let (file, length) = match length {
            Some(length) => {
                let file = OpenOptions::new().append(true).open(&path).map_err(opened)?;
                // synced before anything is answered out of it: what was read may not be on the disk yet
                file.set_len(length).and_then(|()| file.sync_all()).map_err(opened)?;
                (file, length)
            }
            None => {
                let begun = write_aside(&folder, time, &queues).map_err(opened)?;
                put_in_place(&folder, &path).map_err(opened)?;
                begun
            }
        };
        let limit = least.max(length);
        Ok((Self { folder, path, file, length, doubtful: false, least, limit }, queues, time))
    }

    /// Appends commands that are carried out at this time, and answers when they are on the disk.
    pub(crate) fn append(
        &mut self,
        time: Timestamp,
        commands: Vec<(Name, Bytes)>,
        queues: &Queues,
    ) -> Result<(), NotWritten> {
        if self.doubtful {
            self.rewrite(time, queues).map_err(|error| self.told("it can't be written anew", &error))?;
        }
        let body = rmp_serde::to_vec(&Batch { time, commands });
        let frame = body.map_err(io::Error::other).and_then(|body| framed(&body));
        let frame = frame.map_err(|error| self.told("a call can't be written", &error))?;
        if let Err(error) = self.file.write_all(&frame) {
            self.doubtful = self.file.set_len(self.length).is_err();
            return Err(self.told("nothing can be written; it goes on once there is room", &error));
        }
        if let Err(error) = self.file.sync_data() {
            self.doubtful = true;
            let why = format!("{}: it can't be synced: {error}", self.path.display());
            return Err(NotWritten::Unknown(why));
        }
        self.length += frame.len() as u64;
        Ok(())
    }

    /// Writes it anew once it has grown long, as what the queues are now. It loses nothing if that fails.
    pub(crate) fn shorten(&mut self, time: Timestamp, queues: &Queues) {
        if self.length <= self.limit {
            return;
        }
        if let Err(error) = self.rewrite(time, queues) {
            tracing::warn!(journal = %self.path.display(), %error, "it can't be written anew, and grows on");
            self.limit = self.length.saturating_mul(2);
        }
    }

    fn rewrite(&mut self, time: Timestamp, queues: &Queues) -> io::Result<()> {
        let (file, length) = write_aside(&self.folder, time, queues)?;
        self.doubtful = true; // until it is sure which of the two is there after a power cut
        put_in_place(&self.folder, &self.path)?;
        (self.file, self.length, self.doubtful) = (file, length, false);
        self.limit = self.least.max(length.saturating_mul(2));
        Ok(())
    }

    fn told(&self, what: &str, error: &io::Error) -> NotWritten {
        NotWritten::Refused(format!("{}: {what}: {error}", self.path.display()))
    }
}

/// Writes a journal that says what the queues are now, synced, beside the one that counts.
fn write_aside(folder: &Folder, time: Timestamp, queues: &Queues) -> io::Result<(File, u64)> {
    #[derive(Serialize)]
    struct Borrowed<'a>(Timestamp, &'a Queues);
    let body = rmp_serde::to_vec(&Borrowed(time, queues)).map_err(io::Error::other)?;
    let bytes = [first_line().as_bytes(), &framed(&body)?].concat();
    let aside = folder.file(ASIDE);
    fs::remove_file(&aside).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut file = OpenOptions::new().append(true).create_new(true).open(&aside)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    Ok((file, bytes.len() as u64))
}

fn put_in_place(folder: &Folder, path: &Path) -> io::Result<()> {
    fs::rename(folder.file(ASIDE), path)?;
    folder.sync()
}

fn framed(body: &[u8]) -> io::Result<Vec<u8>> {
    frame::frame(body).ok_or_else(|| io::Error::other("it has 4 GiB or more"))
}

/// What a journal leads to.
pub(crate) struct Replayed {
    pub(crate) queues: Queues,
    pub(crate) time: Timestamp,
    /// How far it is whole.
    pub(crate) length: usize,
}

/// Carries out again what a journal says.
pub(crate) fn replay(path: &Path, bytes: &[u8]) -> Result<Replayed, QueueError> {
    let shown = path.display();
    let first = first_line();
    if !bytes.starts_with(first.as_bytes()) {
        let line = String::from_utf8_lossy(bytes.split(|byte| *byte == b'\n').next().unwrap_or_default());
        let line: String = line.chars().take(60).collect();
        return Err(QueueError::Refused(format!(
            "{shown} begins with `{}`, and this program reads what begins with `{}`; let the program that wrote it \
             finish its tasks, and begin with an empty folder",
            line.escape_debug(),
            first.trim_end()
        )));
    }
    let damaged = |at: usize, why: &dyn Display| {
        QueueError::Corrupt(format!(
            "{shown} at byte {at}: {why}; what is before that is whole, and something is behind it: bring the file \
             back from a copy, or move it away and begin anew"
        ))
    };
    let mut at = first.len();
    let Found::Frame(body) = frame::read(&bytes[at..]) else {
        return Err(damaged(at, &"it has no beginning"));
    };
    let Snapshot { mut time, mut queues } =
        rmp_serde::from_slice(body).map_err(|error| damaged(at, &error))?;
    at += frame::HEADER + body.len();
    loop {
        let body = match frame::read(&bytes[at..]) {
            Found::Frame(body) => body,
            Found::End | Found::Torn => return Ok(Replayed { queues, time, length: at }),
            Found::Damaged(why) => return Err(damaged(at, &why)),
        };
        let batch: Batch = rmp_serde::from_slice(body).map_err(|error| damaged(at, &error))?;
        time = batch.time;
        for (queue, command) in batch.commands {
            let command: Command = rmp_serde::from_slice(&command).map_err(|error| damaged(at, &error))?;
            let state = state_of(&mut queues, &queue, time);
            state.apply(command, time);
            drop(state.take_effects()); // nobody waits yet
        }
        at += frame::HEADER + body.len();
    }
}

/// A named queue, begun if it isn't there. Its limits are always the same, since a replay has to come to the same answers.
pub(crate) fn state_of<'q>(queues: &'q mut Queues, queue: &Name, now: Timestamp) -> &'q mut State {
    let begin = || State::new(queue.clone(), Limits::default(), now);
    queues.entry(queue.clone()).or_insert_with(begin)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use task_queue_memory::state::Tick;

    use super::*;

    fn append(journal: &mut Journal, queues: &mut Queues, millis: u64) {
        let (time, queue) = (Timestamp::from_millis(millis), Name::DEFAULT_QUEUE);
        let command = rmp_serde::to_vec(&Command::Tick(Cow::Owned(Tick))).unwrap();
        journal.append(time, vec![(queue.clone(), command.into())], queues).unwrap();
        state_of(queues, &queue, time).apply(Tick, time);
    }

    /// After a failed sync the kernel may have dropped what it was given, and say nothing of it the next time.
    #[test]
    fn a_journal_of_which_nobody_knows_what_is_on_the_disk_is_written_anew_before_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, mut queues, _) = Journal::open(folder.path(), u64::MAX).unwrap();
        append(&mut journal, &mut queues, 1000);
        journal.file.write_all(b"half a frame").unwrap();
        journal.doubtful = true;
        append(&mut journal, &mut queues, 2000);
        let bytes = fs::read(&journal.path).unwrap();
        let replayed = replay(&journal.path, &bytes).unwrap();
        assert_eq!((replayed.time.as_millis(), replayed.length), (2000, bytes.len()));
        assert_eq!(rmp_serde::to_vec(&replayed.queues).unwrap(), rmp_serde::to_vec(&queues).unwrap());
    }

    #[test]
    fn a_journal_that_has_grown_long_is_written_anew_and_leads_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, mut queues, _) = Journal::open(folder.path(), 1000).unwrap();
        let mut longest = 0;
        for n in 1..1000 {
            append(&mut journal, &mut queues, n);
            longest = longest.max(journal.length);
            journal.shorten(Timestamp::from_millis(n), &queues);
        }
        assert!((1001..1500).contains(&longest), "{longest}");
        let replayed = replay(&journal.path, &fs::read(&journal.path).unwrap()).unwrap();
        assert_eq!(replayed.time.as_millis(), 999);
        assert_eq!(rmp_serde::to_vec(&replayed.queues).unwrap(), rmp_serde::to_vec(&queues).unwrap());
    }
}
