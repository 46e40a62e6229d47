//! The help: for each command examples first, then what there is.

use std::{ffi::OsString, fmt::Write as _};

use clap::{Command, CommandFactory as _, FromArgMatches as _, error::ErrorKind};
use clap_complete::Shell;

use super::Args;

/// What somebody sees who gives no command.
const BEGIN: &str = "\
taskctl looks after tasks in a queue. To begin:

  export TASK_QUEUE=localhost:6379                           the Redis that the workers use
  taskctl stats                                              how the queue stands
  taskctl enqueue word_count '{\"path\": \"README.md\"}' --wait  run a task, and see its result
  taskctl explain ID                                         why a task does not run
  taskctl list --state failed                                what went wrong

`taskctl --help` shows every command, `taskctl COMMAND --help` one with its flags.
";

/// What is said below the flags of `taskctl --help`.
pub(super) const END: &str = "\
Environment:
  TASK_QUEUE, else REDIS_URL, else REDIS_HOST and REDIS_PORT   the queue, where there is no -q
  REDIS_PASSWORD, else the file REDIS_PASSWORD_FILE            the password of a URL that has none
  LOG_LEVEL                                                    what is logged to stderr [default: warn]
  NO_COLOR                                                     set: no colours; there are none off a terminal

Times are 30s, 5m, 2h, 1d, 1h 30m; a bare number is seconds.

Exit codes: 0 done; 1 the task FAILED or was CANCELLED; 2 a wrong flag, file or line; 3 the queue can't be reached or
refuses us; 4 no such task; 5 not final yet, or not in time; 6 refused: full, a duplicate, a status that forbids it.
";

/// Of each command, and of `taskctl` itself, some lines with what they are for.
const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    (
        "taskctl",
        &[
            ("taskctl -q localhost:6379 enqueue word_count '{\"path\": \"README.md\"}' --wait", ""),
            ("taskctl -q localhost:6379 explain ID", "why a task does not run"),
            (
                "export TASK_QUEUE=rediss://ann:secret@host",
                "then without -q, and the password stays out of `ps`",
            ),
            ("taskctl list --state failed", ""),
            ("taskctl --queue-name mail export | taskctl -q other-host:6379 import -", ""),
        ],
    ),
    (
        "enqueue",
        &[
            ("taskctl enqueue word_count '{\"path\": \"README.md\"}'", "prints its id"),
            ("taskctl enqueue word_count '{\"path\": \"README.md\"}' --wait 30s", "prints its result"),
            ("taskctl enqueue report --delay 10m --priority 80 --queue-name reports", ""),
            ("taskctl enqueue sync --id nightly-2030-01-31", "however often it is sent, it is one task"),
            ("taskctl enqueue sync --unique customer-7", "one at a time"),
            ("taskctl enqueue resize - < params.json", "params from stdin"),
        ],
    ),
    (
        "result",
        &[
            ("taskctl result ID", "5 if it is not final yet"),
            ("taskctl result ID --wait 30s", ""),
            ("taskctl --json result ID --wait", "everything that is known, as an object"),
        ],
    ),
    ("status", &[("taskctl status ID", ""), ("taskctl --json status ID", "for scripts")]),
    ("explain", &[("taskctl explain ID", "every reason, and what to do about it")]),
    ("cancel", &[("taskctl cancel ID", "")]),
    ("replay", &[("taskctl replay ID", "its errors so far stay known"), ("taskctl replay --all-failed", "")]),
    ("delete", &[("taskctl delete ID", "")]),
    (
        "list",
        &[
            ("taskctl list", "what runs next, first"),
            ("taskctl list --state failed --name word_count --limit 20", ""),
            ("taskctl --json list --state failed", "one object a line"),
        ],
    ),
    ("stats", &[("taskctl stats", ""), ("taskctl --json stats --queue-name mail", "")]),
    ("workers", &[("taskctl workers", "which names each has code for, and how busy it is")]),
    ("queues", &[("taskctl queues", "")]),
    ("pause", &[("taskctl pause tasks", "")]),
    ("resume", &[("taskctl resume tasks", "")]),
    ("purge", &[("taskctl purge tasks --yes", "CANCELLED, so `replay` can bring one back")]),
    (
        "import",
        &[
            (
                "taskctl import jobs.jsonl",
                "one object a line, such as {\"task\": \"sync\", \"delay\": \"5m\"}",
            ),
            ("taskctl --queue-name mail export | taskctl -q other-host:6379 import -", ""),
        ],
    ),
    (
        "export",
        &[
            ("taskctl export > waiting.jsonl", "what is pending or in retry"),
            ("taskctl export --state failed > failed.jsonl", ""),
        ],
    ),
    (
        "completions",
        &[
            ("taskctl completions bash > ~/.local/share/bash-completion/completions/taskctl", ""),
            ("taskctl completions zsh > ~/.zfunc/_taskctl", "with ~/.zfunc in fpath"),
            ("taskctl completions fish > ~/.config/fish/completions/taskctl.fish", ""),
        ],
    ),
    ("man", &[("taskctl man ~/.local/share/man/man1", "then `man taskctl`, `man taskctl-enqueue`")]),
    ("help", &[("taskctl help enqueue", "")]),
];

/// Why there is nothing to do.
#[derive(Debug)]
pub(crate) enum Stop {
    /// No command is given.
    NoCommand,
    /// The help was asked for, or a word is wrong.
    Told(clap::Error),
}

impl Stop {
    /// Says it, and ends the program: with 0 after the help, else with 2.
    pub(crate) fn exit(self) -> ! {
        match self {
            Self::Told(error) => error.exit(),
            Self::NoCommand => {
                eprint!("{BEGIN}");
                std::process::exit(2)
            }
        }
    }
}

/// Reads the words of the command line, the program's name first.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Args, Stop> {
    let read = command().try_get_matches_from(words).and_then(|matches| Args::from_arg_matches(&matches));
    read.map_err(|error| match error.kind() {
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Stop::NoCommand,
        _ => Stop::Told(error),
    })
}

/// The script of completions.
pub(crate) fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "taskctl", &mut script);
    script
}

pub(super) fn command() -> Command {
    let top = Args::command().help_template(template("taskctl", END));
    top.mut_subcommands(|command| {
        let template = template(command.get_name(), "");
        command.help_template(template)
    })
}

fn template(name: &str, end: &str) -> String {
    let mut template = String::from("{about}\n");
    let examples = examples(name);
    if !examples.is_empty() {
        template.push_str("\nExamples:\n");
        template.push_str(&examples);
    }
    template + "\n{usage-heading} {usage}\n\n{all-args}\n" + if end.is_empty() { "" } else { "\n" } + end
}

/// The examples of a command, a line each.
pub(super) fn examples(name: &str) -> String {
    let examples = EXAMPLES.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, lines)| lines);
    let mut text = String::new();
    let width = examples.iter().map(|(line, _)| line.len()).filter(|len| *len < 66).max().unwrap_or(0);
    for (line, comment) in examples {
        let line = format!("  {line:width$}  {comment}");
        // to the template a pair of braces is a tag, and one that it does not know stays; nested ones do not
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(words: &[&str]) -> String {
        match parse(words.iter().map(OsString::from)).unwrap_err() {
            Stop::Told(help) => help.to_string(),
            Stop::NoCommand => panic!("{words:?}"),
        }
    }

    /// The words of a line as a shell would give them, up to where it speaks to the shell.
    fn words(line: &str) -> Vec<OsString> {
        let (mut words, mut quoted) = (Vec::new(), false);
        for part in line.split('\'') {
            if quoted {
                words.push(part.into());
            } else {
                words.extend(part.split_whitespace().map(OsString::from));
            }
            quoted = !quoted;
        }
        let end = words.iter().position(|word: &OsString| ["|", "<", ">"].iter().any(|sign| word == sign));
        words.truncate(end.unwrap_or(words.len()));
        words
    }

    #[test]
    fn the_flags_are_consistent_and_each_help_begins_with_examples_that_are_right() {
        command().debug_assert();
        let mut names: Vec<String> =
            command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        names.push("taskctl".into());
        for name in &names {
            let text = if name == "taskctl" {
                help(&["taskctl", "--help"])
            } else {
                help(&["taskctl", name, "--help"])
            };
            assert!(text.find("Examples:").unwrap() < text.find("Usage:").unwrap(), "{text}");
            let examples = EXAMPLES.iter().find(|(of, _)| of == name).unwrap().1;
            for (line, comment) in examples {
                assert!(text.contains(line) && text.contains(comment), "{line} in {text}");
                if line.starts_with("taskctl") {
                    parse(words(line)).unwrap_or_else(|error| panic!("{line}: {error:?}"));
                }
            }
        }
        assert!(EXAMPLES.iter().all(|(of, _)| *of == "help" || names.iter().any(|name| name == of)));
    }

    #[test]
    fn who_gives_no_command_is_told_where_to_begin() {
        for line in [&["taskctl"][..], &["taskctl", "-q", "localhost:6379"], &["taskctl", "--json"]] {
            let stop = parse(line.iter().map(OsString::from)).unwrap_err();
            assert!(matches!(stop, Stop::NoCommand), "{line:?}: {stop:?}");
        }
    }

    #[test]
    fn completions_name_commands_and_flags() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(completions(shell)).unwrap();
            assert!(script.contains("explain") && script.contains("unique-in-queue"), "{shell}: {script}");
        }
    }
}
