//! A task that is a command: `chaos-command WHAT NUMBER`. It notes its run in the file `ledger` of the folder that it is
//! started in, under the process that started it, and prints the number of the claim that it runs under.

use std::{env, error::Error, path::Path, process::ExitCode, thread::sleep, time::Duration};

use chaos::{Event, Ledger, Line};

/// Trying again can't help, and there was nothing to do, as the tasks file says.
const FATAL: u8 = 65;
const SKIPPED: u8 = 80;

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let [what, number] = env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "two arguments")?;
    let (id, attempt): (String, u32) = (env::var("TASK_ID")?, env::var("TASK_ATTEMPT")?.parse()?);
    let worker = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get() as u32);
    let ledger = Ledger::open(Path::new("ledger"))?;
    let note = |event| ledger.note(&Line { pid: worker, ..Line::of(id.as_str(), attempt, event) });
    note(Event::Start)?;
    let ended = match what.as_str() {
        "slow" => {
            sleep(Duration::from_millis(number.parse()?)); // that long is the task
            ExitCode::SUCCESS
        }
        "flaky" if attempt <= number.parse()? => ExitCode::FAILURE,
        "fatal" => FATAL.into(),
        "skipped" => SKIPPED.into(),
        _ => ExitCode::SUCCESS,
    };
    println!("{attempt}");
    note(Event::End)?;
    Ok(ended)
}

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
