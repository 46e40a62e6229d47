//! Reading a `tasks.toml`: every mistake in it is told at once, with its line, and with what to write instead.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use task_core::{Name, RetryPolicy, parse_duration};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    keys::keys,
    nearest::nearest,
    output::OutputRule,
    run,
    spec::{Settings, Spec},
    template::{Argument, unfilled},
};
use crate::{TaskRegistry, registry::Kind};

/// The largest file that is read: 4 MiB.
const MAX_FILE: u64 = 4 << 20;

/// The tasks of a `tasks.toml`.
#[derive(Clone, Debug)]
pub struct TaskFile {
    tasks: BTreeMap<Name, Arc<Spec>>,
}

/// What is wrong with a `tasks.toml`: one mistake a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TaskFileError(String);

impl TaskFile {
    /// Reads and checks a file. Each program must be there.
    ///
    /// # Errors
    /// If it can't be read, or anything in it is wrong; the error names file, line, key and remedy for each mistake.
    pub fn load(path: &Path) -> Result<Self, TaskFileError> {
        let shown = path.display();
        let size = fs::metadata(path).map(|meta| meta.len());
        if let Ok(size) = size
            && size > MAX_FILE
        {
            return Err(TaskFileError(format!(
                "{shown}: it has {size} bytes, and a tasks file may have {MAX_FILE}"
            )));
        }
        let text = fs::read_to_string(path).map_err(|error| {
            let remedy = "name one, or write one: [tasks.NAME] with command = [\"program\", \"{param}\"]";
            TaskFileError(format!("the tasks file {shown} can't be read: {error}; {remedy}"))
        })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let mut reader = Reader { text: &text, folder: &folder, mistakes: Vec::new() };
        let tasks = reader.file();
        if reader.mistakes.is_empty() {
            return Ok(Self { tasks });
        }
        reader.mistakes.sort();
        let line = |(line, what): &(usize, String)| format!("{shown}:{line}: {what}");
        Err(TaskFileError(reader.mistakes.iter().map(line).collect::<Vec<_>>().join("\n")))
    }

    /// The names of its tasks, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        self.tasks.keys()
    }

    /// Adds its tasks to a registry.
    ///
    /// # Panics
    /// If the registry has a task of one of the names.
    #[track_caller]
    pub fn register(self, registry: TaskRegistry) -> TaskRegistry {
        self.tasks.into_iter().fold(registry, |registry, (name, spec)| {
            let options = spec.settings.options();
            registry.insert_named(Kind::Blocking, name, options, move |params, ctx| {
                Box::pin(run::attempt(spec.clone(), params, ctx))
            })
        })
    }
}

struct Reader<'a> {
    text: &'a str,
    folder: &'a Path,
    /// Line and words.
    mistakes: Vec<(usize, String)>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Reader<'a> {
    fn wrong<T>(&mut self, at: &Spanned<T>, what: impl Into<String>) {
        self.wrong_at(at.span().start, what);
    }

    fn wrong_at(&mut self, offset: usize, what: impl Into<String>) {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        self.mistakes.push((line, what.into()));
    }

    fn file(&mut self) -> BTreeMap<Name, Arc<Spec>> {
        let root = match DeTable::parse(self.text) {
            Ok(root) => root.into_inner(),
            Err(error) => {
                self.wrong_at(error.span().map_or(0, |span| span.start), error.message().to_owned());
                return BTreeMap::new();
            }
        };
        let mut defaults = Settings::new(self.folder);
        let mut tasks = BTreeMap::new();
        for (key, value) in &root {
            match key.get_ref().as_ref() {
                "tasks" => {}
                "defaults" => self.settings(value, "[defaults]", false, &mut defaults),
                other => {
                    let meant = nearest(other, ["tasks", "defaults"].into_iter());
                    let meant = meant.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
                    let known = "a tasks file has [tasks.NAME] and [defaults]";
                    self.wrong(key, format!("unknown key `{}`; {known}{meant}", other.escape_debug()));
                }
            }
        }
        match root.get("tasks") {
            Some(value) => match value.get_ref() {
                DeValue::Table(table) => {
                    for (key, value) in table {
                        if let Some((name, spec)) = self.task(key.get_ref(), key, value, &defaults) {
                            tasks.insert(name, Arc::new(spec));
                        }
                    }
                }
                other => self.wrong(
                    value,
                    format!("`tasks` is {}, and must be tables [tasks.NAME]", other.type_str()),
                ),
            },
            None if self.mistakes.is_empty() => {
                self.wrong_at(
                    0,
                    "it names no task; write [tasks.NAME] with command = [\"program\", \"{param}\"]",
                );
            }
            None => {}
        }
        tasks
    }

    fn task<T>(
        &mut self,
        name: &str,
        at: &Spanned<T>,
        value: &Value<'a>,
        defaults: &Settings,
    ) -> Option<(Name, Spec)> {
        let shown = format!("[tasks.{}]", name.escape_debug());
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(value, format!("{shown} is {}, and must be a table", value.get_ref().type_str()));
            return None;
        };
        let name = name.parse::<Name>().map_err(|error| self.wrong(at, error.to_string())).ok();
        let mut settings = defaults.clone();
        self.settings(value, &shown, true, &mut settings);
        let Some(command) = table.get("command") else {
            // [tasks.mail.out] means a task `mail` with a key `out`: the likely slip
            let inner = table.iter().find(|(_, inner)| inner.get_ref().is_table());
            let inner = inner.map(|(inner, _)| inner.get_ref().to_string()).filter(|key| key != "env");
            let hint = inner
                .zip(name)
                .map(|(key, name)| format!("; for a name with a dot write [tasks.\"{name}.{key}\"]"));
            let hint = hint.unwrap_or_else(|| "; write command = [\"program\", \"{param}\"]".into());
            self.wrong(at, format!("{shown} has no command{hint}"));
            return None;
        };
        let words = self.strings(command, &shown, "command");
        let Some((program, arguments)) = words.split_first() else {
            if self.mistakes.is_empty() {
                self.wrong(
                    command,
                    format!("the command of {shown} is empty; write [\"program\", \"{{param}}\"]"),
                );
            }
            return None;
        };
        for argument in arguments {
            if let Some(param) = unfilled(argument) {
                tracing::warn!(task = %shown, %argument, "{{{param}}} is not filled in: only a whole argument is");
            }
        }
        let program = self.program(command, &shown, program)?;
        let arguments = arguments.iter().map(|text| Argument::parse(text)).collect();
        Some((name?, Spec { program, arguments, settings }))
    }

    fn settings(&mut self, value: &Value<'a>, place: &str, is_task: bool, settings: &mut Settings) {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(value, format!("{place} is {}, and must be a table", value.get_ref().type_str()));
            return;
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match name {
                "command" if is_task => {}
                "cwd" => {
                    if let Some(cwd) = self.string(value, place, name) {
                        settings.cwd = self.folder.join(cwd);
                        if !settings.cwd.is_dir() {
                            let cwd = settings.cwd.display().to_string();
                            self.wrong(
                                value,
                                format!("`cwd` in {place}: there is no folder {}", cwd.escape_debug()),
                            );
                        }
                    }
                }
                "env" => self.environment(value, place, &mut settings.env),
                "pass_env" => {
                    settings.pass_env = self.strings(value, place, name);
                    for secret in ["TASK_QUEUE", "REDIS_URL"] {
                        if settings.pass_env.iter().any(|name| name == secret) {
                            self.wrong(
                                value,
                                format!(
                                    "{secret} in `pass_env` of {place}: the queue's URL is never passed on"
                                ),
                            );
                        }
                    }
                }
                "output" => {
                    if let Some(text) = self.string(value, place, name) {
                        match OutputRule::NAMES.iter().find(|(name, _)| *name == text) {
                            Some((_, rule)) => settings.output = *rule,
                            None => {
                                let text = text.escape_debug();
                                self.wrong(value, format!("`output` in {place} is \"{text}\"; it is \"auto\", \"json\" or \"text\""));
                            }
                        }
                    }
                }
                "timeout" => settings.timeout = self.duration(value, place, name).or(settings.timeout),
                "kill_after" => {
                    settings.kill_after = self.duration(value, place, name).unwrap_or(settings.kill_after);
                }
                "max_retries" => {
                    let retries = self.number(value, place, name, 0, i64::from(u32::MAX));
                    settings.max_retries = retries.map(|n| n as u32).or(settings.max_retries);
                }
                "backoff" => settings.backoff = self.backoff(value, place).or(settings.backoff),
                "fatal_codes" => settings.fatal_codes = self.codes(value, place, name),
                "skip_codes" => settings.skip_codes = self.codes(value, place, name),
                "allow_dash" => match value.get_ref() {
                    DeValue::Boolean(allow) => settings.allow_dash = *allow,
                    other => self.mistyped(value, place, name, other.type_str(), "true or false"),
                },
                unknown => {
                    let known =
                        || keys().iter().map(|key| key.name).filter(|name| is_task || *name != "command");
                    let shown = unknown.escape_debug();
                    let hint = match nearest(unknown, known()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("it has {}", known().collect::<Vec<_>>().join(", ")),
                    };
                    self.wrong(key, format!("unknown key `{shown}` in {place}; {hint}"));
                }
            }
        }
        if let Some(both) = settings.fatal_codes.iter().find(|code| settings.skip_codes.contains(code)) {
            self.wrong(
                value,
                format!("exit code {both} is in both `fatal_codes` and `skip_codes` of {place}"),
            );
        }
    }

    fn environment(&mut self, value: &Value<'a>, place: &str, env: &mut BTreeMap<String, String>) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.mistyped(value, place, "env", value.get_ref().type_str(), "a table of strings");
        };
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let known = !name.is_empty() && !name.contains(['=', '\0']);
            if !known || name == "TASK_ID" || name == "TASK_ATTEMPT" {
                let name = name.escape_debug().to_string();
                self.wrong(
                    key,
                    format!("`env` in {place} can't set `{name}`; give the variable another name"),
                );
            } else if let Some(text) = self.string(value, place, &name) {
                env.insert(name, text);
            }
        }
    }

    fn backoff(&mut self, value: &Value<'a>, place: &str) -> Option<RetryPolicy> {
        let DeValue::Table(table) = value.get_ref() else {
            return self.duration(value, place, "backoff").map(RetryPolicy::fixed);
        };
        let (mut initial, mut max) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(600)));
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "initial" => initial = self.duration(value, place, "backoff.initial"),
                "max" => max = self.duration(value, place, "backoff.max"),
                other => {
                    let other = other.escape_debug().to_string();
                    self.wrong(
                        key,
                        format!("unknown key `{other}` in `backoff` of {place}; it has initial and max"),
                    );
                }
            }
        }
        Some(RetryPolicy::exponential(initial?, max?))
    }

    fn codes(&mut self, value: &Value<'a>, place: &str, key: &str) -> Vec<i32> {
        let DeValue::Array(codes) = value.get_ref() else {
            self.mistyped(value, place, key, value.get_ref().type_str(), "an array of exit codes");
            return Vec::new();
        };
        codes
            .iter()
            .filter_map(|code| self.number(code, place, key, 1, 255))
            .map(|code| code as i32)
            .collect()
    }

    fn number(&mut self, value: &Value<'a>, place: &str, key: &str, min: i64, max: i64) -> Option<i64> {
        let DeValue::Integer(number) = value.get_ref() else {
            self.mistyped(value, place, key, value.get_ref().type_str(), "a whole number");
            return None;
        };
        let parsed = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let fits = parsed.filter(|number| (min..=max).contains(number));
        if fits.is_none() {
            self.wrong(value, format!("`{key}` in {place} is {number}; it is between {min} and {max}"));
        }
        fits
    }

    fn duration(&mut self, value: &Value<'a>, place: &str, key: &str) -> Option<Duration> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            other => {
                self.mistyped(value, place, key, other.type_str(), "a duration such as \"30s\"");
                return None;
            }
        };
        match parse_duration(&text) {
            Ok(duration) if !duration.is_zero() => Some(duration),
            Ok(_) => {
                self.wrong(value, format!("`{key}` in {place} is 0; leave it out for none"));
                None
            }
            Err(error) => {
                self.wrong(value, format!("`{key}` in {place}: {error}"));
                None
            }
        }
    }

    fn string(&mut self, value: &Value<'a>, place: &str, key: &str) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if !text.contains('\0') => Some(text.to_string()),
            DeValue::String(_) => {
                self.wrong(value, format!("`{key}` in {place} has a NUL character in it"));
                None
            }
            other => {
                self.mistyped(value, place, key, other.type_str(), "a string");
                None
            }
        }
    }

    fn strings(&mut self, value: &Value<'a>, place: &str, key: &str) -> Vec<String> {
        let DeValue::Array(values) = value.get_ref() else {
            self.mistyped(value, place, key, value.get_ref().type_str(), "an array of strings");
            return Vec::new();
        };
        values.iter().filter_map(|value| self.string(value, place, key)).collect()
    }

    fn mistyped(&mut self, value: &Value<'a>, place: &str, key: &str, is: &str, must: &str) {
        self.wrong(value, format!("`{key}` in {place} is {is}, and must be {must}"));
    }

    /// Where the program lies: relative to the file's folder if it has a slash, else in PATH.
    fn program(&mut self, at: &Value<'a>, place: &str, program: &str) -> Option<PathBuf> {
        let shown = program.escape_debug();
        if program.contains('/') {
            let path = self.folder.join(program);
            if is_executable(&path) {
                return Some(path);
            }
            let (why, remedy) = if path.exists() {
                ("is no executable file", "make it one with chmod +x")
            } else {
                ("is not there", "a program with a slash lies relative to the folder of the tasks file")
            };
            self.wrong(at, format!("the program `{shown}` of {place} {why}; {remedy}"));
            return None;
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let found =
            env::split_paths(&path).map(|folder| folder.join(program)).find(|path| is_executable(path));
        if found.is_none() {
            let remedy = "install it, or write its path: \"./program\" lies in the folder of the tasks file";
            self.wrong(at, format!("the program `{shown}` of {place} is not in PATH; {remedy}"));
        }
        found
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<TaskFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tasks.toml");
        fs::write(&path, text).unwrap();
        let hide = format!("{}/", folder.path().display());
        TaskFile::load(&path).map_err(|error| error.to_string().replace(&hide, ""))
    }

    #[test]
    fn a_whole_file_is_read_and_a_task_goes_over_the_defaults() {
        let file = load(
            "[defaults]\ntimeout = 5\nenv = { A = \"1\", B = \"1\" }\n[tasks.word_count]\n\
             command = [\"wc\", \"-w\", \"--\", \"{path}\"]\nmax_retries = 1\nbackoff = \"2s\"\nenv = { B = \"2\" }\n\
             fatal_codes = [65]\n[tasks.\"mail.out\"]\ncommand = [\"true\"]\ntimeout = \"1m\"\n",
        );
        let file = file.unwrap();
        assert_eq!(file.names().map(Name::as_str).collect::<Vec<_>>(), ["mail.out", "word_count"]);
        let spec = &file.tasks["word_count"];
        assert_eq!(spec.arguments[2], Argument::Param("path".into()));
        assert_eq!(spec.settings.timeout, Some(Duration::from_secs(5)));
        assert_eq!(spec.settings.env["A"].clone() + &spec.settings.env["B"], "12");
        assert_eq!(spec.settings.options().max_retries, Some(1));
        assert_eq!(file.tasks["mail.out"].settings.timeout, Some(Duration::from_secs(60)));
    }

    #[test]
    fn each_mistake_is_told_with_its_line_its_key_and_a_remedy() {
        let error = load(
            "[tasks.a]\ncommand = [\"wc\"]\ntimout = \"3s\"\ntimeout = \"soon\"\n[tasks.b]\ncommand = []\n\
             [tasks.c]\ncommand = [\"no-such-program-here\"]\n[tasks.d.e]\ncommand = [\"wc\"]\n[tasks.f]\ncommand = \"wc\"\n\
             [task]\n",
        )
        .unwrap_err();
        for says in [
            "tasks.toml:3: unknown key `timout` in [tasks.a]; did you mean `timeout`?",
            "tasks.toml:4: `timeout` in [tasks.a]: `soon` is not a duration; write \"30s\"",
            "tasks.toml:8: the program `no-such-program-here` of [tasks.c] is not in PATH; install it",
            "[tasks.d] has no command; for a name with a dot write [tasks.\"d.e\"]",
            "tasks.toml:12: `command` in [tasks.f] is string, and must be an array of strings",
            "tasks.toml:13: unknown key `task`; a tasks file has [tasks.NAME] and [defaults]; did you mean `tasks`?",
        ] {
            assert!(error.contains(says), "{says}\nis not in\n{error}");
        }
    }

    #[test]
    fn what_can_not_be_is_refused_by_its_value() {
        for (line, says) in [
            ("output = \"xml\"", "is \"xml\"; it is \"auto\", \"json\" or \"text\""),
            ("max_retries = -1", "is -1; it is between 0"),
            ("fatal_codes = [0]", "is 0; it is between 1 and 255"),
            ("fatal_codes = [7]\nskip_codes = [7]", "exit code 7 is in both"),
            ("pass_env = [\"REDIS_URL\"]", "the queue's URL is never passed on"),
            ("env = { TASK_ID = \"x\" }", "can't set `TASK_ID`"),
            ("cwd = \"no/such/folder\"", "there is no folder"),
            ("timeout = 0", "leave it out for none"),
            ("allow_dash = 1", "is integer, and must be true or false"),
        ] {
            let error = load(&format!("[tasks.a]\ncommand = [\"wc\"]\n{line}\n")).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
        assert!(load("").unwrap_err().contains("it names no task"));
        assert!(load("[tasks.a\n").unwrap_err().starts_with("tasks.toml:1: "));
        assert!(load("[tasks.\"a b\"]\ncommand = [\"wc\"]").unwrap_err().contains("`a b` is not a name"));
        let missing = TaskFile::load(Path::new("no/tasks.toml")).unwrap_err().to_string();
        assert!(
            missing.contains("no/tasks.toml can't be read") && missing.contains("write one"),
            "{missing}"
        );
    }
}
