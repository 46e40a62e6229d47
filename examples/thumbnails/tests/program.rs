//! The program as people start it, and the task as a function.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use example_thumbnails::{Size, thumbnail};
use serde_json::Value;
use task_worker::{core::ErrorKind, prelude::*};

/// A copy of the example's files, to write thumbnails into.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("images")).unwrap();
    for file in ["images/dusk.png", "images/rings.png", "images/checks.png", "jobs.jsonl"] {
        fs::copy(file, folder.path().join(file)).unwrap();
    }
    folder
}

fn run(folder: &Path) -> (Output, Vec<Value>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thumbnails"));
    command.args(["-n", "2", "--input", "jobs.jsonl", "--drain", "--no-monitoring"]);
    let output = command.current_dir(folder).output().unwrap();
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let mut results: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    results.sort_by_key(|result| result["id"].to_string());
    (output, results)
}

#[test]
fn a_batch_makes_each_thumbnail_and_the_next_one_skips_them() {
    let folder = folder();
    let (output, results) = run(folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let sizes: Vec<(&Value, &Value)> =
        results.iter().map(|result| (&result["result"]["width"], &result["result"]["height"])).collect();
    let expected = [(64, 96), (128, 80), (128, 128)].map(|(width, height)| (width.into(), height.into()));
    let expected: Vec<(&Value, &Value)> = expected.iter().map(|(width, height)| (width, height)).collect();
    assert_eq!(sizes, expected);
    let small = image::open(folder.path().join("rings-small.png")).unwrap();
    assert_eq!((small.width(), small.height()), (128, 128));

    let (output, results) = run(folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(results.iter().all(|result| result["status"] == "SKIPPED"), "{results:?}");
}

#[test]
fn what_is_no_image_fails_at_once_and_says_which_file() {
    let folder = folder();
    fs::write(folder.path().join("images/rings.png"), "no image").unwrap();
    let (output, results) = run(folder.path());
    assert_eq!(output.status.code(), Some(1));
    let broken = &results[2];
    assert_eq!((&broken["status"], &broken["attempts"]), (&"FAILED".into(), &1.into()));
    assert!(broken["error"]["message"].as_str().unwrap().contains("images/rings.png"), "{broken}");
}

#[test]
fn a_task_is_a_function_too_and_tells_what_is_worth_another_try() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let size = thumbnail(at("images/dusk.png"), at("t.png"), 64, TaskContext::detached()).unwrap();
    assert_eq!(size, Size { width: 64, height: 40 });
    let missing = thumbnail(at("none.png"), at("n.png"), 64, TaskContext::detached()).unwrap_err();
    assert!(matches!(missing.kind(), ErrorKind::Retry { .. }), "{missing:?}");
}
