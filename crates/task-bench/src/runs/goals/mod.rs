//! Every run in turn, each in a process of its own, as often as there are rounds.

mod list;
mod row;

use std::{fs::File, io::Write as _, path::Path, time::Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::process::Command;

use self::{
    list::{GOALS, Goal, ONCE, RUNS, Reports},
    row::{HEAD, row},
};
use crate::cli;

/// Prints a table of each round, row by row when it is measured, and of several rounds one of medians in the end; what is
/// cut short has shown what it found. A run that fails is told, and the others go on.
pub(crate) async fn run(run: &cli::Goals) -> anyhow::Result<()> {
    let goals: Vec<&Goal> = GOALS.iter().filter(|goal| asked_for(run, goal)).collect();
    let mut kept = run.reports.as_deref().map(create).transpose()?;
    let (begun, mut rounds, mut failed) = (Instant::now(), Vec::new(), Vec::new());
    for round in 1..=run.rounds {
        let mut reports = Reports::new();
        let once = if round == 1 && !run.short { ONCE } else { &[] };
        let needed = |name| goals.iter().any(|goal| goal.figure.runs().contains(&name));
        let runs: Vec<_> = RUNS.iter().chain(once).filter(|(name, _)| needed(*name)).collect();
        println!("Round {round} of {}\n\n{HEAD}", run.rounds);
        for (at, (name, args)) in runs.iter().enumerate() {
            let (at, of, so_far) = (at + 1, runs.len(), begun.elapsed().as_secs());
            eprintln!("{so_far} s: round {round} of {}, run {at} of {of}: {name}", run.rounds);
            let args = args.replace("{n}", &run.tasks.to_string());
            let report = match report(&args).await {
                Ok(report) => report,
                Err(error) => {
                    eprintln!("task-bench: {error:#}");
                    failed.push(args);
                    continue;
                }
            };
            if let Some(kept) = &mut kept {
                let line = json!({ "round": round, "name": name, "args": args, "report": report });
                writeln!(kept, "{line}").context("a report can't be kept")?;
            }
            reports.insert(*name, report);
            for goal in goals.iter().filter(|goal| goal.figure.runs().contains(name)) {
                say(goal, std::slice::from_ref(&reports));
            }
        }
        println!();
        rounds.push(reports);
    }
    if rounds.len() > 1 {
        println!("All rounds\n\n{HEAD}");
        goals.iter().for_each(|goal| say(goal, &rounds));
    }
    anyhow::ensure!(failed.is_empty(), "these runs failed, so their goals were not measured: {failed:?}");
    eprintln!("{} s: done", begun.elapsed().as_secs());
    Ok(())
}

fn asked_for(run: &cli::Goals, goal: &Goal) -> bool {
    run.goal.is_empty() || run.goal.contains(&goal.number)
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("--reports {}", path.display()))
}

/// Prints the row of a goal, if it was measured.
fn say(goal: &Goal, rounds: &[Reports]) {
    let values = rounds.iter().filter_map(|reports| goal.figure.of(reports)).collect();
    if let Some(row) = row(goal, values) {
        println!("{row}");
    }
}

/// What a run of this program reports; that it was exact is its exit code.
async fn report(args: &str) -> anyhow::Result<Value> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.args(args.split(' ')).arg("--json").kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "`task-bench {args}` ended with {}: {said}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("the report of `task-bench {args}`"))
}
