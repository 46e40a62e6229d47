//! One attempt of a command task: from params to a result.
//!
//! A thread of the blocking pool looks after one command with `poll`. The process is reaped only after its whole group
//! was killed: until then its number can belong to nobody else, so no signal ever reaches a stranger.

use std::{
    env,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::ExitStatusExt as _,
    },
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid},
};
use serde_json::Value;
use task_core::{FailureKind, Shown, TaskError, TaskResult};

use super::{
    output::{MAX_OUTPUT, too_much},
    spawn::spawn,
    spec::Spec,
    template::fill,
};
use crate::{TaskContext, blocking};

/// How often it is looked whether the task was cancelled.
const LOOK: Duration = Duration::from_millis(100);
/// How long output is still read after the command and its group have ended: a process that left the group may hold it.
const DRAIN: Duration = Duration::from_secs(1);
/// How much of the end of stderr is kept: with the words around it, it fits into a stored error of 2 KiB.
const STDERR_TAIL: usize = 1900;
/// Of the worker's environment, what each command gets.
const PASSED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// Runs a command with these params.
pub(super) async fn attempt(spec: Arc<Spec>, params: Bytes, ctx: TaskContext) -> TaskResult<Bytes> {
    let params = serde_json::to_value(Shown(&params)).map_err(|error| {
        TaskError::retry(format!("the params can't be read: {error}")).stored_as(FailureKind::Params)
    })?;
    let command = prepare(&spec, &params, &ctx)?;
    let stdin = params.to_string().into_bytes();
    blocking(move || {
        let child = spawn(command).map_err(|error| cannot_start(&spec, &error))?;
        let ended = Running::new(child, stdin, spec.settings.kill_after)
            .and_then(|running| running.finish(|| ctx.is_cancelled()))
            .map_err(|error| TaskError::retry(format!("the command can't be looked after: {error}")))?;
        result(&spec, ended)
    })
    .await
}

fn prepare(spec: &Spec, params: &Value, ctx: &TaskContext) -> TaskResult<Command> {
    let settings = &spec.settings;
    let mut command = Command::new(&spec.program);
    command.args(fill(&spec.arguments, params, settings.allow_dash)?);
    command.current_dir(&settings.cwd).env_clear();
    let passed = PASSED.into_iter().chain(settings.pass_env.iter().map(String::as_str));
    command.envs(passed.filter_map(|name| Some((name, env::var_os(name)?))));
    command.envs(&settings.env);
    command.env("TASK_ID", ctx.id().to_string()).env("TASK_ATTEMPT", ctx.attempt().to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

fn cannot_start(spec: &Spec, error: &io::Error) -> TaskError {
    let program = spec.program.display().to_string();
    TaskError::retry(format!("`{}` can't be started: {error}", program.escape_debug()))
}

/// What the command's end means.
fn result(spec: &Spec, ended: Ended) -> TaskResult<Bytes> {
    let settings = &spec.settings;
    if ended.told_to_stop {
        return Err(TaskError::cancelled()); // also if it exits with 0: finished work can't be told from a graceful stop
    }
    if ended.stdout.len() > MAX_OUTPUT {
        return Err(too_much());
    }
    let tail = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    let Some(code) = ended.status.code() else {
        let signal = ended.status.signal().unwrap_or_default();
        return Err(TaskError::retry(with(format!("ended by signal {signal}"), &tail)));
    };
    match code {
        0 => settings.output.result(&ended.stdout),
        code if settings.skip_codes.contains(&code) => {
            Err(TaskError::skip(with(format!("exit code {code}"), &tail)))
        }
        code if settings.fatal_codes.contains(&code) => {
            Err(TaskError::fatal(with(format!("exit code {code}"), &tail)))
        }
        code => Err(TaskError::retry(with(format!("exit code {code}"), &tail))),
    }
}

fn with(what: String, tail: &str) -> String {
    if tail.is_empty() { what } else { format!("{what}: {tail}") }
}

/// A command that has ended.
struct Ended {
    status: ExitStatus,
    /// At most a byte more than a result may have.
    stdout: Vec<u8>,
    /// Its end.
    stderr: Vec<u8>,
    told_to_stop: bool,
}

struct Running {
    child: Child,
    group: Pid,
    /// What stdin has still to get; closed when all is written.
    stdin: Option<(ChildStdin, Vec<u8>, usize)>,
    kill_after: Duration,
}

impl Running {
    fn new(mut child: Child, params: Vec<u8>, kill_after: Duration) -> io::Result<Self> {
        let group =
            i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let stdin = child.stdin.take().map(|stdin| (stdin, params, 0));
        Ok(Self { child, group, stdin, kill_after })
    }

    /// Feeds and reads the command until it has ended; told to stop, its group gets TERM, and KILL later.
    fn finish(mut self, told: impl Fn() -> bool) -> io::Result<Ended> {
        let mut stdout = self.child.stdout.take().map(|pipe| (pipe, Vec::new()));
        let mut stderr = self.child.stderr.take().map(|pipe| (pipe, Vec::new()));
        if let Some((pipe, ..)) = &self.stdin {
            do_not_block(pipe.as_fd())?;
        }
        if let Some((pipe, _)) = &stdout {
            do_not_block(pipe.as_fd())?;
        }
        if let Some((pipe, _)) = &stderr {
            do_not_block(pipe.as_fd())?;
        }
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut term: Option<Instant> = None;
        let mut told_to_stop = false;
        let mut exited: Option<Instant> = None;
        let mut status = None;
        loop {
            if let Some((pipe, read)) = &mut stdout
                && read_all(pipe, read, MAX_OUTPUT + 1)?
            {
                out = std::mem::take(read);
                stdout = None;
            }
            if let Some((pipe, read)) = &mut stderr {
                let ended = read_all(pipe, read, usize::MAX)?;
                read.drain(..read.len().saturating_sub(STDERR_TAIL));
                if ended {
                    err = std::mem::take(read);
                    stderr = None;
                }
            }
            self.feed();
            if exited.is_none() && self.has_exited()? {
                self.signal(Signal::KILL); // whatever it left behind in its group
                status = Some(self.child.wait()?);
                exited = Some(Instant::now());
            }
            if let Some(since) = exited {
                if (stdout.is_none() && stderr.is_none()) || since.elapsed() >= DRAIN {
                    break;
                }
            } else {
                let too_much = stdout.as_ref().is_some_and(|(_, read)| read.len() > MAX_OUTPUT)
                    || out.len() > MAX_OUTPUT;
                match term {
                    None if told() || too_much => {
                        told_to_stop = !too_much;
                        self.signal(Signal::TERM);
                        term = Some(Instant::now());
                    }
                    Some(since) if since.elapsed() >= self.kill_after => self.signal(Signal::KILL),
                    _ => {}
                }
            }
            let open =
                stdout.as_ref().filter(|(_, read)| read.len() <= MAX_OUTPUT).map(|(pipe, _)| pipe.as_fd());
            let stdin = self.stdin.as_ref().map(|(pipe, ..)| pipe.as_fd());
            wait(stdin, [open, stderr.as_ref().map(|(pipe, _)| pipe.as_fd())])?;
        }
        if let Some((_, read)) = stdout {
            out = read;
        }
        if let Some((_, read)) = stderr {
            err = read;
        }
        let status = status.ok_or_else(|| io::Error::other("it has no status"))?;
        Ok(Ended { status, stdout: out, stderr: err, told_to_stop })
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
            let _ = self.child.wait();
        }
    }
}

fn do_not_block(pipe: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?)
}

/// Reads what is there, up to `limit` in all; true at the pipe's end.
fn read_all(pipe: &mut impl Read, into: &mut Vec<u8>, limit: usize) -> io::Result<bool> {
    let mut buffer = [0; 16 << 10];
    // so much in one turn, that a command that never stops printing is still looked after
    for _ in 0..64 {
        let room = buffer.len().min(limit - into.len().min(limit));
        if room == 0 {
            return Ok(false);
        }
        match pipe.read(&mut buffer[..room]) {
            Ok(0) => return Ok(true),
            Ok(n) => into.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Until something can be written or read, or it is time to look.
fn wait(stdin: Option<BorrowedFd<'_>>, outputs: [Option<BorrowedFd<'_>>; 2]) -> io::Result<()> {
    let mut pipes: Vec<PollFd<'_>> = Vec::with_capacity(3);
    pipes.extend(stdin.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
    pipes.extend(outputs.into_iter().flatten().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    // with its outputs closed nothing tells of its end but a look
    let look = if pipes.is_empty() { LOOK / 20 } else { LOOK };
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(look.subsec_nanos()) };
    match poll(&mut pipes, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
