//! What is left of a queue when its file was cut, damaged, or is in other hands.

use std::{fs, path::Path};

use example_custom_backend::FileQueue;
use task_core::{Batch, Enqueued, Lookup, Name, Queue, QueueError, TaskId, TaskMessage, TaskOptions};
use tempfile::TempDir;

const QUEUE: Name = Name::DEFAULT_QUEUE;

async fn enqueue(queue: &FileQueue, id: &str) -> Enqueued {
    let message = TaskMessage::new(id.parse().unwrap(), "a", vec![0xc0; 20], TaskOptions::default()).unwrap();
    queue.enqueue(Batch::new(QUEUE, vec![message])).await.unwrap().answers.pop().unwrap()
}

async fn has(queue: &FileQueue, id: &str) -> bool {
    let id: TaskId = id.parse().unwrap();
    queue.result(&QUEUE, &id).await.unwrap() != Lookup::NotFound
}

/// A folder with a journal of these bytes.
fn folder_with(journal: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("journal"), journal).unwrap();
    folder
}

/// The journal after each of these was enqueued.
async fn journals(folder: &Path, ids: &[&str]) -> Vec<Vec<u8>> {
    let queue = FileQueue::open(folder).await.unwrap();
    let mut journals = Vec::new();
    for id in ids {
        assert_eq!(enqueue(&queue, id).await, Enqueued::Queued);
        journals.push(fs::read(folder.join("journal")).unwrap());
    }
    journals
}

#[tokio::test]
async fn a_last_write_that_broke_off_at_any_byte_is_cut_off_and_all_before_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let journals = journals(folder.path(), &["a", "b", "c"]).await;
    let [_, before, whole] = &journals[..] else { unreachable!() };
    for length in before.len()..whole.len() {
        let cut = folder_with(&whole[..length]);
        let queue = FileQueue::open(cut.path()).await.unwrap();
        let there = [has(&queue, "a").await, has(&queue, "b").await, has(&queue, "c").await];
        assert_eq!(there, [true, true, false], "cut at {length}");
        assert_eq!(enqueue(&queue, "c").await, Enqueued::Queued);
        drop(queue);
        let queue = FileQueue::open(cut.path()).await.unwrap();
        assert!(has(&queue, "c").await, "what is written over the cut is whole, cut at {length}");
    }
}

#[tokio::test]
async fn a_journal_that_is_damaged_before_its_end_is_refused_with_its_file_and_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let journals = journals(folder.path(), &["a", "b", "c"]).await;
    let (first, whole) = (journals[0].len(), &journals[2]);
    for place in first..journals[1].len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x20;
        let folder = folder_with(&damaged);
        let error = FileQueue::open(folder.path()).await.unwrap_err();
        assert!(matches!(error, QueueError::Corrupt(_)), "{error}");
        let path = folder.path().join("journal");
        let place = format!("{} at byte {first}: ", path.display());
        assert!(error.to_string().contains(&place), "{error}");
        assert_eq!(fs::read(path).unwrap(), damaged, "it is left as it is");
    }
}

#[tokio::test]
async fn a_journal_of_another_version_is_refused_with_both() {
    let folder = folder_with(b"a journal of tasks, version 77\nand whatever");
    let error = FileQueue::open(folder.path()).await.unwrap_err();
    let said = error.to_string();
    assert!(
        matches!(error, QueueError::Refused(_)) && said.contains("version 77") && said.contains("version 2"),
        "{said}"
    );
}

#[tokio::test]
async fn a_folder_in_use_is_refused_with_its_holder_and_is_free_when_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let queue = FileQueue::open(folder.path()).await.unwrap();
    let said = FileQueue::open(folder.path()).await.unwrap_err().to_string();
    let (lock, holder) = (folder.path().join("lock"), format!("process {}", std::process::id()));
    assert!(said.contains(&lock.display().to_string()) && said.contains(&holder), "{said}");
    drop(queue);
    FileQueue::open(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_journal_that_was_half_written_anew_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    journals(folder.path(), &["a"]).await;
    fs::write(folder.path().join("journal.new"), "half a").unwrap();
    let queue = FileQueue::open_with(folder.path(), 0).await.unwrap();
    assert!(has(&queue, "a").await);
    // so short a journal is written anew at once
    for n in 0..20 {
        enqueue(&queue, &n.to_string()).await;
    }
    drop(queue);
    let queue = FileQueue::open(folder.path()).await.unwrap();
    assert!(has(&queue, "a").await && has(&queue, "19").await);
    assert!(!folder.path().join("journal.new").exists());
}
