//! The flags as they are typed; [`settings`](crate::settings) says what they mean.

mod manual;
mod orchestrator;
mod worker;

use std::io::{self, Write as _};

use clap::{Args, CommandFactory, Parser};
use clap_complete::Shell;

pub(crate) use self::{
    orchestrator::{HELP as ORCHESTRATOR_HELP, OWN_HELP, OrchestratorArgs},
    worker::{HELP as WORKER_HELP, WorkerArgs},
};

/// The command line of the program called `name`; in its help, NAME is that name. Ends the process where there is nothing
/// to run: on a wrong flag with 2; with 0 after the help, completions for a shell, or the manual page.
pub(crate) fn parse<T: Parser + AsRef<Common>>(name: &str, help: &str) -> T {
    let mut command = command::<T>(name, help);
    let args = T::from_arg_matches(&command.get_matches_mut()).unwrap_or_else(|error| error.exit());
    if let Some(shell) = args.as_ref().completions {
        clap_complete::generate(shell, &mut command, name, &mut io::stdout());
        std::process::exit(0);
    }
    if args.as_ref().man {
        let page = manual::page(command, &help.replace("NAME", name));
        // whoever closes the pipe has seen enough
        page.and_then(|page| io::stdout().write_all(&page)).ok();
        std::process::exit(0);
    }
    args
}

fn command<T: CommandFactory>(name: &str, help: &str) -> clap::Command {
    let name = name.to_owned();
    let command = T::command().help_template(help.replace("NAME", &name)).bin_name(name.clone()).name(name);
    if help == OWN_HELP {
        // a version of the user's program is not known here, and must not be mistaken for ours
        return command.version(concat!("on task-orchestrator ", env!("CARGO_PKG_VERSION")));
    }
    command
}

const RUNS: &str = "What runs";
const BATCH: &str = "A batch";
const STOPPING: &str = "Starting and stopping";
const LOOKING: &str = "Looking at it";

/// What a worker and those who look at it are told, whoever starts it.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Work on this named queue; may be repeated. Of one with twice the weight twice as much is taken [default: tasks]
    /// [env: QUEUE_NAME=tasks=3,mail=1]
    #[arg(long, value_name = "NAME[=WEIGHT]", help_heading = RUNS)]
    pub(crate) queue_name: Vec<String>,

    /// How many tasks a worker runs at once [default: 64, and of blocking code and commands one a core]
    /// [env: TASK_CONCURRENCY]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, help_heading = RUNS)]
    pub(crate) concurrency: Option<u32>,

    /// How often a failed task is tried again where neither it nor its enqueuer says so [default: 3]
    /// [env: TASK_MAX_RETRIES]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = RUNS)]
    pub(crate) max_retries: Option<u32>,

    /// How long running tasks may go on after a stop was asked for [default: 25s] [env: TASK_GRACE]
    #[arg(long, value_name = "TIME", help_heading = STOPPING)]
    pub(crate) grace: Option<String>,

    /// How long the first connection to the queue is tried
    #[arg(long, value_name = "TIME", default_value = "5s", help_heading = STOPPING)]
    pub(crate) connect_timeout: String,

    /// error, warning, info, debug or trace [default: info; of a batch, warning] [env: LOG_LEVEL]
    #[arg(long, value_name = "L", help_heading = LOOKING)]
    pub(crate) log_level: Option<String>,

    /// text or json [default: text] [env: LOG_FORMAT]
    #[arg(long, value_name = "FORMAT", help_heading = LOOKING)]
    pub(crate) log_format: Option<String>,

    /// Print completions for bash, zsh, fish, elvish or powershell, and end
    #[arg(long, value_name = "SHELL", exclusive = true, hide_possible_values = true)]
    pub(crate) completions: Option<Shell>,

    /// Print the manual page, for `man -l -` or a file, and end
    #[arg(long, exclusive = true, hide = true)]
    pub(crate) man: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent_and_the_help_begins_with_examples() {
        OrchestratorArgs::command().debug_assert();
        WorkerArgs::command().debug_assert();
        for template in [ORCHESTRATOR_HELP, OWN_HELP] {
            let help = command::<OrchestratorArgs>("myprogram", template).render_long_help().to_string();
            assert!(help.starts_with("Keeps N workers alive, or runs one batch"), "{help}");
            assert!(help.find("myprogram -n 4").unwrap() < help.find("--workers").unwrap(), "{help}");
            assert!(!help.contains("NAME -n"), "{help}");
        }
    }

    #[test]
    fn each_flag_stands_in_the_help_with_its_default_and_its_variable() {
        let help = command::<OrchestratorArgs>("x", ORCHESTRATOR_HELP).render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [
            "[default: 4]",
            "[env: TASK_QUEUE, REDIS_URL, REDIS_HOST with REDIS_PORT]",
            "[env: TASK_CONCURRENCY]",
            "[default: 25s] [env: TASK_GRACE]",
            "[env: LOG_LEVEL]",
        ] {
            assert!(help.contains(said), "{said} is missing in {help}");
        }
    }

    #[test]
    fn a_program_of_the_users_does_not_give_our_version_for_its_own() {
        let version = |help| command::<OrchestratorArgs>("myprogram", help).render_version();
        let number = env!("CARGO_PKG_VERSION");
        assert_eq!(version(OWN_HELP), format!("myprogram on task-orchestrator {number}\n"));
        assert_eq!(version(ORCHESTRATOR_HELP), format!("myprogram {number}\n"));
    }

    #[test]
    fn what_a_later_release_brings_is_not_accepted_before() {
        for flag in ["--max-tasks=5", "--max-memory=1G", "--min=1", "--max=4"] {
            assert!(OrchestratorArgs::try_parse_from(["task-orchestrator", flag]).is_err(), "{flag}");
        }
    }

    #[test]
    fn arguments_of_the_program_come_after_two_dashes() {
        let args = OrchestratorArgs::parse_from(["x", "-n", "2", "./w", "--", "-n", "9"]);
        assert_eq!((args.workers, args.args.len(), args.worker), (2, 2, Some("./w".into())));
    }

    #[test]
    fn the_manual_page_says_what_the_help_says() {
        let text = |command: clap::Command, template: &str| {
            String::from_utf8(manual::page(command, &template.replace("NAME", "myprogram")).unwrap()).unwrap()
        };
        let page = text(command::<OrchestratorArgs>("myprogram", OWN_HELP), OWN_HELP);
        let mut from = 0;
        for said in [
            ".TH myprogram 1",
            "myprogram \\- Keeps N workers alive, or runs one batch of tasks",
            ".SH EXAMPLES",
            "  myprogram \\-n 4 \\-q localhost:6379",
            ".SH \"WHAT RUNS\"",
            "TASK_CONCURRENCY",
            ".SH ENVIRONMENT",
            "REDIS_PASSWORD_FILE",
            ".SH \"EXIT STATUS\"",
            "130 and 143",
            ".SH SIGNALS",
            "a rolling restart",
        ] {
            from +=
                page[from..].find(said).unwrap_or_else(|| panic!("{said} is missing, or early, in {page}"));
        }
        assert!(!page.contains("{all-args}"), "{page}");
        let page = text(command::<WorkerArgs>("task-worker", WORKER_HELP), WORKER_HELP);
        assert!(page.contains(".SH EXAMPLES") && page.contains("claim nothing more"), "{page}");
    }

    #[test]
    fn every_shell_is_offered_every_flag_under_the_name_of_the_program() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut command = command::<OrchestratorArgs>("myprogram", OWN_HELP);
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "myprogram", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in ["myprogram", "queue-name", "monitoring-port", "drain"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
