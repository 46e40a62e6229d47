//! Inputs as files, one folder a target; named by their content, so that the same one is there once.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
};

pub(crate) struct Corpus(PathBuf);

impl Corpus {
    pub(crate) fn open(name: &str) -> Self {
        Self(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name))
    }

    /// In the order of their names, so that a seed gives the same run.
    pub(crate) fn files(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).expect("a readable file of the corpus")).collect()
    }

    pub(crate) fn add(&self, input: &[u8]) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let path = self.0.join(format!("{:016x}", hasher.finish()));
        fs::create_dir_all(&self.0).expect("a folder for the corpus");
        fs::write(&path, input).expect("a file of the corpus");
        path
    }
}
