//! Makes small images of large ones. In the folder of this example:
//!
//! ```sh
//! cargo run -- --input jobs.jsonl --drain       # one batch, no server
//! cargo run -- -n 4 -q localhost:6379           # four worker processes
//! ```

use std::{fs, path::PathBuf};

use image::{ImageError, ImageFormat, imageops::FilterType};
use serde::{Deserialize, Serialize};
use task_worker::prelude::*;

/// How large a thumbnail came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// Makes a thumbnail of at most `width` pixels to each side. It computes, so it is no `async fn`: it runs on the threads
/// for such code, as many at once as there are cores.
///
/// It may run twice, as every task may, and then does the same again: the target is written aside and moved into place.
///
/// # Errors
/// A source that is not there yet is tried again, four times within a minute or so. What is no image is fatal, and a
/// thumbnail that is newer than its source is skipped.
#[task(max_retries = 4, timeout = "60s")]
pub fn thumbnail(source: PathBuf, target: PathBuf, width: u32, ctx: TaskContext) -> TaskResult<Size> {
    ctx.progress(0.0, "reading");
    let bytes = fs::read(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    if is_newer(&target, &source) {
        return Err(TaskError::skip(format!("{} is up to date", target.display())));
    }
    let image = image::load_from_memory(&bytes)
        .map_err(|error| format!("{}: {error}", source.display()))
        .or_fatal()?;

    ctx.progress(0.3, "scaling");
    let small = image.resize(width, width, FilterType::Lanczos3);

    ctx.progress(0.9, "writing");
    let aside = target.with_extension("png.part");
    small.save_with_format(&aside, ImageFormat::Png).map_err(not_written)?;
    fs::rename(&aside, &target)?;
    Ok(Size { width: small.width(), height: small.height() })
}

/// A full disk may have room later; an image that can't be encoded never can.
fn not_written(error: ImageError) -> TaskError {
    match error {
        ImageError::IoError(error) => error.into(),
        other => TaskError::fatal(other),
    }
}

fn is_newer(target: &PathBuf, source: &PathBuf) -> bool {
    let changed = |path: &PathBuf| fs::metadata(path).and_then(|about| about.modified()).ok();
    changed(target).zip(changed(source)).is_some_and(|(target, source)| target > source)
}
