use std::{io, path::PathBuf, time::Duration};

use tokio::fs;

/// A folder out of which a mail server sends, and when to write what into it.
#[derive(Clone, Debug)]
pub struct Outbox {
    /// The folder.
    pub folder: PathBuf,
    /// What could not be written is tried again after this time.
    pub retry: Duration,
    /// Who has not paid after this time is reminded.
    pub remind: Duration,
}

impl Outbox {
    /// Mails go out of this folder; tried again each hour, reminded after a fortnight.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let (retry, remind) = (Duration::from_secs(3600), Duration::from_secs(14 * 24 * 3600));
        Self { folder: folder.into(), retry, remind }
    }

    /// Writes a mail. Its name is its identity, so the mail of a task that runs twice goes out once.
    ///
    /// # Errors
    /// If the folder is not there or full; it says which one.
    pub async fn write(&self, name: &str, to: &str, text: &str) -> io::Result<()> {
        let (aside, mail) = (self.folder.join(format!(".{name}")), self.folder.join(format!("{name}.eml")));
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", mail.display()));
        fs::write(&aside, format!("To: {to}\n\n{text}\n")).await.map_err(told)?;
        fs::rename(&aside, &mail).await.map_err(told)
    }
}
