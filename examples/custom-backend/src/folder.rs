use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use task_core::QueueError;

/// The folder of a queue, held by this process alone.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked as long as it is open, so a process that dies leaves no lock behind.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it isn't there, and takes hold of it.
    pub(crate) fn open(path: &Path) -> Result<Self, QueueError> {
        let wrong = |error| failed(path, "the folder can't be opened", &error);
        if !path.exists() {
            fs::create_dir_all(path).map_err(wrong)?;
            path.parent().map_or(Ok(()), sync).map_err(wrong)?;
        }
        let lock = path.join("lock");
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&lock).map_err(wrong)?;
        match file.try_lock() {
            Ok(()) => {
                let program = std::env::args().next().unwrap_or_default();
                file.set_len(0).map_err(wrong)?;
                file.write_all(format!("{} {program}", std::process::id()).as_bytes()).map_err(wrong)?;
                Ok(Self { path: path.to_owned(), _lock: file })
            }
            Err(TryLockError::Error(error)) => Err(wrong(error)),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(wrong)?;
                let holder = holder.escape_debug();
                Err(QueueError::unreachable(format!(
                    "{} is held by process {holder}, and one process at a time may use it; end that one, or \
                     give this one a folder of its own",
                    lock.display()
                )))
            }
        }
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes sure that its files have their names also after a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        sync(&self.path)
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// What went wrong with a file, in words.
pub(crate) fn failed(path: &Path, what: &str, error: &io::Error) -> QueueError {
    QueueError::unreachable(format!("{}: {what}: {error}", path.display()))
}
