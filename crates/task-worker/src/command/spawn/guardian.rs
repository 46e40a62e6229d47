//! Where there is no parent-death signal a guardian ends the commands of a dead worker: a shell that is told which process
//! groups live, and kills those at the end of its input, which is the end of the worker.
//!
//! A group is taken back before its leader is reaped, while its number can't be another's. So the guardian never kills a
//! stranger: what was told before the worker's death is read before the end of the input.

use std::{
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError},
};

static GUARDIAN: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// Each line is `+ GROUP` or `- GROUP`. What ends its worker must not end it first.
const SCRIPT: &str = "\
trap '' HUP INT TERM
live=' '
while read -r word group; do
  case $word in
    +) live=\"$live$group \" ;;
    -) live=\"${live%% $group *} ${live#* $group }\" ;;
  esac
done
for group in $live; do kill -s KILL -- \"-$group\"; done";

/// Starts a command, the leader of a process group, that is killed when this process ends.
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut guardian = GUARDIAN.lock().unwrap_or_else(PoisonError::into_inner);
    let ear = match guardian.take() {
        Some(ear) => ear,
        None => start()?,
    };
    let ear = guardian.insert(ear);
    let mut child = command.spawn()?;
    if let Err(error) = writeln!(ear, "+ {}", child.id()) {
        *guardian = None; // it was ended: the next command gets another
        child.kill()?;
        child.wait()?;
        return Err(error);
    }
    Ok(child)
}

fn start() -> io::Result<ChildStdin> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", SCRIPT]).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn()?.stdin.take().ok_or_else(|| io::Error::other("the guardian has no input"))
}

/// It is about to be reaped: its number may become another's.
pub(super) fn before_reap(child: &Child) {
    if let Some(ear) = &mut *GUARDIAN.lock().unwrap_or_else(PoisonError::into_inner) {
        // a guardian that was ended knows nothing of it
        let _ = writeln!(ear, "- {}", child.id());
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::ExitStatusExt as _,
        time::{Duration, Instant},
    };

    use super::*;

    fn sleeper() -> Child {
        spawn(Command::new("sleep").arg("1000").process_group(0)).unwrap()
    }

    #[test]
    fn at_the_end_of_its_worker_the_guardian_kills_the_groups_that_live_and_no_other() {
        let (mut reaped, mut live, mut last) = (sleeper(), sleeper(), sleeper());
        before_reap(&reaped);
        // the worker's end closes all that it had open
        drop(GUARDIAN.lock().unwrap().take());
        for child in [&mut live, &mut last] {
            let end = Instant::now() + Duration::from_secs(30);
            let status = loop {
                match child.try_wait().unwrap() {
                    Some(status) => break status,
                    None => assert!(Instant::now() < end, "the guardian does not kill it"),
                }
                std::thread::yield_now();
            };
            assert_eq!(status.signal(), Some(9));
        }
        assert_eq!(reaped.try_wait().unwrap(), None, "its group was taken back");
        reaped.kill().unwrap();
        reaped.wait().unwrap();
    }
}
