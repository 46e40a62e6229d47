use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

/// How often a second a disk makes a small write safe, one after the other: what an append-only file that is synced
/// before each answer can't exceed. It takes a second.
pub(crate) fn fsyncs_per_s(folder: &Path) -> io::Result<f64> {
    const SMALL: [u8; 300] = [b'x'; 300];
    let mut file: File = tempfile::tempfile_in(folder)?;
    let (start, mut synced) = (Instant::now(), 0_u32);
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all(&SMALL)?;
        file.sync_data()?;
        synced += 1;
    }
    Ok(f64::from(synced) / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_syncs_and_a_folder_that_is_gone_does_not() {
        let folder = tempfile::tempdir().unwrap();
        assert!(fsyncs_per_s(folder.path()).unwrap() > 0.0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves nothing");
        assert!(fsyncs_per_s(&folder.path().join("gone")).is_err());
    }
}
