//! What a run that failed leaves behind, so that its cause can be looked for.

use std::{
    fmt::{Debug, Write as _},
    fs, io,
    path::{Path, PathBuf},
};

/// The folder in which the processes of a run work: the ledger and what each of them said. A run that panics keeps it.
pub(crate) struct Evidence {
    folder: PathBuf,
    to: PathBuf,
}

impl Evidence {
    pub(crate) fn of(seed: u64, folder: PathBuf) -> Self {
        let to = format!("chaos-{}-{seed}", std::process::id());
        Self { folder, to: Path::new(env!("CARGO_TARGET_TMPDIR")).join(to) }
    }

    /// Adds a file with a line for each of these.
    pub(crate) fn write<T: Debug>(&self, name: &str, what: impl IntoIterator<Item = T>) {
        let mut text = String::new();
        for one in what {
            writeln!(text, "{one:?}").expect("a string takes all");
        }
        fs::write(self.folder.join(name), text).unwrap();
    }

    fn keep(&self) -> io::Result<()> {
        fs::create_dir_all(&self.to)?;
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            fs::copy(file.path(), self.to.join(file.file_name()))?;
        }
        Ok(())
    }
}

impl Drop for Evidence {
    fn drop(&mut self) {
        if std::thread::panicking() {
            match self.keep() {
                Ok(()) => eprintln!("what was run and said is in {}", self.to.display()),
                Err(error) => eprintln!("what was run and said could not be kept: {error}"),
            }
        }
    }
}
