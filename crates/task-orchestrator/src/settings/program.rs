use std::{
    ffi::OsString,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{Mistake, Surroundings};

/// What runs the tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// This very program: with its own tasks in Rust, with the commands of a tasks file, or with both.
    BuiltIn {
        /// The tasks file.
        tasks: Option<PathBuf>,
    },
    /// Another program.
    Other {
        /// The program, as it was named.
        named: PathBuf,
        /// What is started: the program, or the interpreter of a script.
        path: PathBuf,
        /// Its arguments.
        args: Vec<OsString>,
    },
}

impl Program {
    pub(super) fn resolve(
        worker: Option<PathBuf>,
        args: Vec<OsString>,
        around: &Surroundings<'_>,
    ) -> Result<Self, Mistake> {
        let program = match worker {
            None if around.own_tasks => Self::BuiltIn { tasks: None },
            None => Self::BuiltIn { tasks: Some(default_tasks(around)?) },
            Some(file) if file.extension().is_some_and(|ending| ending == "toml") => {
                Self::BuiltIn { tasks: Some(tasks_file(Some(file), around)?) }
            }
            Some(script) if is_python(&script) => {
                let python = find_in_path("python3", around).ok_or_else(|| {
                    let script = script.display();
                    Mistake(format!("`{script}` runs with python3, which is not in PATH; install it"))
                })?;
                let found = around.folder.join(&script);
                if !found.is_file() {
                    let script = found.display();
                    return Err(Mistake(format!("there is no script `{script}`; give the path of one")));
                }
                let args = std::iter::once(found.into_os_string()).chain(args).collect();
                return Ok(Self::Other { named: script, path: python, args });
            }
            Some(named) => {
                let path = executable(&named, around)?;
                return Ok(Self::Other { named, path, args });
            }
        };
        match args.first() {
            None => Ok(program),
            Some(first) => Err(Mistake(format!(
                "arguments after `--` (`{}`) are for a program of your own, and there is none",
                first.to_string_lossy().escape_debug()
            ))),
        }
    }

    /// Tasks on a queue that lives in this process run inside it.
    pub(super) fn must_run_inside(&self, url: &str, own_tasks: bool) -> Result<(), Mistake> {
        let Self::Other { named, path, .. } = self else { return Ok(()) };
        let command = match is_python(named) {
            true => format!("\"python3\", \"{}\"", named.display()),
            // without a slash it would be looked for in PATH
            false if named.components().count() == 1 => format!("\"{}\"", path.display()),
            false => format!("\"{}\"", named.display()),
        };
        let (url, shown) = (task_core::without_password(url), named.display());
        let rest = if own_tasks { "; without a program the tasks of this one run" } else { "" };
        Err(Mistake(format!(
            "the queue `{url}` lives in this process, and a worker `{shown}` would be another, which can't share it. If \
             it does one task and ends, write a tasks.toml with [tasks.NAME] and command = [{command}], and give that \
             in its place; if it is a worker, give it a queue that it reaches with -q localhost:6379{rest}"
        )))
    }
}

fn is_python(worker: &Path) -> bool {
    worker.extension().is_some_and(|ending| ending == "py")
}

fn default_tasks(around: &Surroundings<'_>) -> Result<PathBuf, Mistake> {
    let file = around.folder.join("tasks.toml");
    if file.is_file() {
        return Ok(file);
    }
    Err(Mistake(format!(
        "nothing says what to run: there is no tasks.toml in {}, and no worker program was given; write a tasks.toml \
         there, or name a program: task-orchestrator … ./myworker",
        around.folder.display()
    )))
}

/// A tasks file that is there; `./tasks.toml` if none is named.
pub(super) fn tasks_file(named: Option<PathBuf>, around: &Surroundings<'_>) -> Result<PathBuf, Mistake> {
    let file = around.folder.join(named.unwrap_or_else(|| "tasks.toml".into()));
    if file.is_file() {
        return Ok(file);
    }
    Err(Mistake(format!(
        "there is no tasks file `{}`, which names the commands to run; write one, or give its path",
        file.display()
    )))
}

fn executable(named: &Path, around: &Surroundings<'_>) -> Result<PathBuf, Mistake> {
    let here = around.folder.join(named);
    if here.is_file() {
        return match is_executable(&here) {
            true => Ok(here),
            false => Err(Mistake(format!(
                "the worker `{0}` is not executable; run `chmod +x {0}`, or give its interpreter as the worker and the \
                 script after `--`",
                named.display()
            ))),
        };
    }
    let bare = named.to_str().filter(|name| !name.contains('/'));
    bare.and_then(|name| find_in_path(name, around)).ok_or_else(|| {
        let named = named.display();
        Mistake(format!(
            "there is no worker program `{named}`, neither in {} nor in PATH; give its path",
            around.folder.display()
        ))
    })
}

fn find_in_path(name: &str, around: &Surroundings<'_>) -> Option<PathBuf> {
    let path = around.env("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
