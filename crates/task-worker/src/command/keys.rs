//! Every key of a task in `tasks.toml`: the one place where they are named and explained.

/// A key of a task in `tasks.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub takes: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

const fn key(name: &'static str, takes: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, takes, default, doc }
}

/// Every key that `[tasks.NAME]` knows; `[defaults]` knows the same but for `command`.
///
/// ```
/// for key in task_worker::command::keys() {
///     println!("| `{}` | {} | {} | {} |", key.name, key.takes, key.default, key.doc);
/// }
/// ```
pub fn keys() -> &'static [Key] {
    KEYS
}

const KEYS: &[Key] = &[
    key(
        "command",
        "an array of strings",
        "must be there",
        "The program and its arguments, run directly, never through a shell. An argument that is exactly `{name}` is \
         filled with that param; one that is exactly `{{name}}` means the text `{name}`. The params also arrive as JSON \
         on stdin. A program with a slash in it lies relative to the folder of the file, one without comes from PATH.",
    ),
    key(
        "cwd",
        "a path",
        "the folder of the file",
        "The folder in which the command runs; relative to the folder of the file.",
    ),
    key(
        "env",
        "a table of strings",
        "nothing",
        "Variables of the command's environment, beside PATH, HOME, LANG, TZ, TASK_ID, TASK_ATTEMPT and, in a worker \
         that was started by another program, TASK_INCARNATION. Adds to the `env` of `[defaults]`.",
    ),
    key(
        "pass_env",
        "an array of strings",
        "nothing",
        "Names of the worker's own variables that the command gets too, where they are set. The queue's URL is never \
         passed.",
    ),
    key(
        "output",
        "\"auto\", \"json\" or \"text\"",
        "\"auto\"",
        "What stdout means. `json` must be JSON; `text` is text without the line ends at its end; `auto` takes a JSON \
         object or array, or a number that prints back unchanged, as JSON, and else text. Nothing at all is null. Above \
         1 MiB the task fails.",
    ),
    key(
        "timeout",
        "a duration",
        "no limit",
        "The longest that an attempt may take: then its process group gets TERM, and KILL after `kill_after`.",
    ),
    key(
        "kill_after",
        "a duration",
        "\"5s\"",
        "How long a command that was told to end by TERM, for a timeout or a cancel, has until KILL.",
    ),
    key("max_retries", "a number from 0", "3", "How often a failed attempt is tried again."),
    key(
        "backoff",
        "a duration or a table",
        "{ initial = \"1s\", max = \"10m\" }",
        "The wait before each retry: a duration is the same wait each time; `{ initial, max }` starts at `initial` and \
         doubles up to `max`, each wait being a random part of it.",
    ),
    key(
        "fatal_codes",
        "an array of exit codes",
        "[]",
        "Exit codes after which trying again can't help: the task has FAILED.",
    ),
    key(
        "skip_codes",
        "an array of exit codes",
        "[]",
        "Exit codes that mean that there was nothing to do: the task is SKIPPED.",
    ),
    key(
        "allow_dash",
        "true or false",
        "false",
        "Lets a filled-in value begin with `-` where no literal `--` stands before it. Only for programs that can't \
         mistake it for an option.",
    ),
];
