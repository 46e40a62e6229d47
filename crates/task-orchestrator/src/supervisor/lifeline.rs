use std::{
    io::{self, PipeReader, PipeWriter},
    os::fd::{AsRawFd as _, RawFd},
};

use rustix::io::{FdFlags, fcntl_setfd};

/// A pipe that tells the workers when their orchestrator is gone, however it went: its end closes.
///
/// Every child inherits the read end; the write end is close-on-exec, so that this process alone holds it.
#[derive(Debug)]
pub(super) struct Lifeline {
    read: PipeReader,
    _write: PipeWriter,
}

impl Lifeline {
    pub(super) fn new() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        fcntl_setfd(&read, FdFlags::empty())?;
        Ok(Self { read, _write: write })
    }

    /// By which number children know it.
    pub(super) fn number(&self) -> RawFd {
        self.read.as_raw_fd()
    }
}
