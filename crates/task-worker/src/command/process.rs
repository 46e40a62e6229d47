//! A command that runs, looked after with `poll` by one thread of the blocking pool.
//!
//! The process is reaped only after its whole group was killed: until then its number can belong to nobody else, so no
//! signal ever reaches a stranger.

use std::{
    io::{self, Read, Write},
    os::fd::{AsFd, BorrowedFd},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};

use super::{output::MAX_OUTPUT, spawn::reap, stderr::Log};

/// How often it is looked whether the task was cancelled.
const LOOK: Duration = Duration::from_millis(100);
/// How long output is still read after the command and its group have ended: a process that left the group may hold it.
const DRAIN: Duration = Duration::from_secs(1);

/// A command that has ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// At most a byte more than a result may have.
    pub(super) stdout: Vec<u8>,
    /// Its end, without what it told of its progress.
    pub(super) stderr: Vec<u8>,
    pub(super) told_to_stop: bool,
}

pub(super) struct Running {
    child: Child,
    group: Pid,
    /// What stdin has still to get; closed when all is written.
    stdin: Option<(ChildStdin, Vec<u8>, usize)>,
    stdout: Output<ChildStdout>,
    stderr: Output<ChildStderr>,
    log: Log,
    kill_after: Duration,
    /// Since when it was told to stop by TERM.
    stopping: Option<Instant>,
}

impl Running {
    /// Looks after a child whose standard streams are pipes; it is the leader of a process group.
    pub(super) fn new(mut child: Child, params: Vec<u8>, kill_after: Duration) -> io::Result<Self> {
        let group =
            i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let stdin = child.stdin.take().map(|stdin| (stdin, params, 0));
        let (stdout, stderr) = (Output::of(child.stdout.take()), Output::of(child.stderr.take()));
        let log = Log::default();
        let running = Self { child, group, stdin, stdout, stderr, log, kill_after, stopping: None };
        for pipe in running.pipes().into_iter().flatten() {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
        }
        Ok(running)
    }

    fn pipes(&self) -> [Option<BorrowedFd<'_>>; 3] {
        let stdin = self.stdin.as_ref().map(|(pipe, ..)| pipe.as_fd());
        [stdin, self.stdout.pipe.as_ref().map(AsFd::as_fd), self.stderr.pipe.as_ref().map(AsFd::as_fd)]
    }

    /// Feeds and reads the command until it has ended; told to stop, its group gets TERM, and KILL later.
    ///
    /// `told` says whether it was; `progress` hears how far the command says that it is.
    pub(super) fn finish(
        mut self,
        told: impl Fn() -> bool,
        progress: impl Fn(f32, &str),
    ) -> io::Result<Ended> {
        let (mut told_to_stop, mut exited) = (false, None);
        loop {
            self.feed();
            self.stdout.read(MAX_OUTPUT + 1)?;
            self.stderr.read(usize::MAX)?;
            self.log.add(&self.stderr.take(), &progress);
            match exited {
                None if self.has_exited()? => {
                    self.signal(Signal::KILL); // whatever it left behind in its group
                    exited = Some((reap(&mut self.child)?, Instant::now()));
                    continue;
                }
                None if self.has_printed_too_much() => self.stop(),
                None if told_to_stop || told() => {
                    told_to_stop = true;
                    self.stop();
                }
                None => {}
                Some((status, since)) if self.has_printed_all() || since.elapsed() >= DRAIN => {
                    let (stdout, log) = (self.stdout.take(), std::mem::take(&mut self.log));
                    return Ok(Ended { status, stdout, stderr: log.into_tail(), told_to_stop });
                }
                Some(_) => {}
            }
            self.wait()?;
        }
    }

    fn has_printed_all(&self) -> bool {
        self.stdout.has_ended() && self.stderr.has_ended()
    }

    fn has_printed_too_much(&self) -> bool {
        self.stdout.read.len() > MAX_OUTPUT
    }

    /// TERM at first, and KILL from `kill_after` on.
    fn stop(&mut self) {
        match self.stopping {
            None => {
                self.signal(Signal::TERM);
                self.stopping = Some(Instant::now());
            }
            Some(since) if since.elapsed() >= self.kill_after => self.signal(Signal::KILL),
            Some(_) => {}
        }
    }

    /// Writes what stdin takes now. A command need not read its params.
    fn feed(&mut self) {
        let Some((pipe, params, written)) = &mut self.stdin else { return };
        loop {
            match pipe.write(&params[*written..]) {
                Ok(0) => break,
                Ok(n) => *written += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break, // EPIPE
            }
        }
        self.stdin = None;
    }

    /// Until something can be written or read, or it is time to look.
    fn wait(&self) -> io::Result<()> {
        let [stdin, stdout, stderr] = self.pipes();
        let stdout = stdout.filter(|_| !self.has_printed_too_much());
        let mut pipes: Vec<PollFd<'_>> = Vec::with_capacity(3);
        pipes.extend(stdin.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        pipes.extend(
            [stdout, stderr].into_iter().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        // with its outputs closed nothing tells of its end but a look
        let look = if pipes.is_empty() { LOOK / 20 } else { LOOK };
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(look.subsec_nanos()) };
        match poll(&mut pipes, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it has exited; it is not reaped by this.
    fn has_exited(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.group), options)?.is_some())
    }

    /// To its group. Only called before it is reaped.
    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.group, signal); // nobody left to hear it is fine
    }
}

impl Drop for Running {
    /// After an error half way: nothing of the command may go on unwatched. A child that was waited for is left alone.
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::KILL);
            let _ = reap(&mut self.child);
        }
    }
}

/// What a command prints on one of its streams.
struct Output<P> {
    /// Until its end.
    pipe: Option<P>,
    read: Vec<u8>,
}

impl<P: Read> Output<P> {
    fn of(pipe: Option<P>) -> Self {
        Self { pipe, read: Vec::new() }
    }

    /// Reads what is there, up to `limit` in all.
    fn read(&mut self, limit: usize) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        let mut buffer = [0; 16 << 10];
        // so much in one turn, that a command that never stops printing is still looked after
        for _ in 0..64 {
            let room = buffer.len().min(limit - self.read.len().min(limit));
            if room == 0 {
                break;
            }
            match pipe.read(&mut buffer[..room]) {
                Ok(0) => {
                    self.pipe = None;
                    break;
                }
                Ok(n) => self.read.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn has_ended(&self) -> bool {
        self.pipe.is_none()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.read)
    }
}
