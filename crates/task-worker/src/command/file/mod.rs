//! Reading a `tasks.toml`: every mistake in it is told at once, with its line, and with what to write instead.

mod program;
mod reader;
mod settings;
mod tasks;
mod values;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use task_core::Name;

use self::reader::Reader;
use super::{run, spec::Spec};
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
        let mut reader = Reader::new(&text, &folder);
        let tasks = reader.file();
        let mistakes = reader.into_mistakes();
        if mistakes.is_empty() {
            return Ok(Self { tasks });
        }
        let line = |(line, what): &(usize, String)| format!("{shown}:{line}: {what}");
        Err(TaskFileError(mistakes.iter().map(line).collect::<Vec<_>>().join("\n")))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::template::Argument;

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
