//! The queue keeps every promise of the queue contract, and its journal leads to what it has in memory.

use std::{path::Path, time::Duration};

use task_testkit::Harness;
use tempfile::TempDir;

use crate::FileQueue;

/// Where there is one, a disk of memory: the promises are many, and don't ask what a power cut leaves.
fn folder() -> TempDir {
    let fast = Path::new("/dev/shm");
    if fast.is_dir() { TempDir::new_in(fast) } else { TempDir::new() }.unwrap()
}

struct Files {
    queue: FileQueue,
    _folder: TempDir,
}

impl Harness for Files {
    type Queue = FileQueue;
    async fn open() -> Self {
        let folder = folder();
        // so short a journal is written anew now and then
        Self { queue: FileQueue::open_with(folder.path(), 64 << 10).await.unwrap(), _folder: folder }
    }
    fn queue(&self) -> &FileQueue {
        &self.queue
    }
    async fn advance(&self, by: Duration) {
        self.queue.advance(by).await;
    }
    async fn outage(&self, by: Duration) {
        self.queue.outage(by);
    }
}

/// After each promise the journal is read: what a restart would make of it is what is there now.
impl Drop for Files {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.queue.is_replayed_exactly());
        }
    }
}

task_testkit::conformance!(Files);
task_testkit::random_operations!(Files);
