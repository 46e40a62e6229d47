//! A wall clock of their own for processes, which can be set while they run: libfaketime stands between them and the C
//! library. What they measure by the monotonic clock stays true.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Before this name, what Debian calls the machine: /usr/lib/x86_64-linux-gnu.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

pub(crate) struct WallClock {
    file: PathBuf,
    library: PathBuf,
}

impl WallClock {
    /// One that is right, and is set by a file of this folder.
    ///
    /// # Panics
    /// Without libfaketime: a missing program fails a test, and never skips it.
    pub(crate) fn right(folder: &Path) -> Self {
        let places = fs::read_dir("/usr/lib").unwrap().map(|place| place.unwrap().path().join(LIBRARY));
        let library = places
            .chain(["/usr/local/lib".into()].map(|lib: PathBuf| lib.join(LIBRARY)))
            .find(|library| library.is_file());
        let library = library.expect("libfaketime is missing: install the package faketime");
        let clock = Self { file: folder.join("clock"), library };
        clock.set(0);
        clock
    }

    /// From now on it is so many seconds ahead of the true one, or behind it.
    pub(crate) fn set(&self, ahead: i64) {
        // whole at once, as somebody may read it at any time
        let new = self.file.with_extension("new");
        fs::write(&new, format!("{ahead:+}\n")).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    /// Whoever is started by this command goes by it.
    pub(crate) fn give_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        for switch in ["FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"] {
            command.env(switch, "1");
        }
    }
}

#[test]
fn a_process_sees_the_time_that_its_clock_is_set_to() {
    let folder = task_tests::Folder::new("date");
    let clock = WallClock::right(&folder.path(""));
    let ahead = || {
        let mut date = folder.command("+%s");
        clock.give_to(&mut date);
        let said = String::from_utf8(date.output().unwrap().stdout).unwrap();
        let true_time = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
        said.trim().parse::<i64>().unwrap() - true_time
    };
    assert!(ahead().abs() < 60);
    clock.set(3600);
    assert!((3540..3660).contains(&ahead()), "{}", ahead());
    clock.set(-3600);
    assert!((-3660..-3540).contains(&ahead()), "{}", ahead());
}
