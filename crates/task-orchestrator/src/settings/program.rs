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
        /// The program.
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
        let extension = worker.as_deref().and_then(Path::extension).and_then(|e| e.to_str()).unwrap_or("");
        let program = match worker {
            None if around.own_tasks => Self::BuiltIn { tasks: None },
            None => Self::BuiltIn { tasks: Some(default_tasks(around)?) },
            Some(file) if extension == "toml" => {
                Self::BuiltIn { tasks: Some(tasks_file(Some(file), around)?) }
            }
            Some(script) if extension == "py" => {
                let python = find_in_path("python3", around).ok_or_else(|| {
                    let script = script.display();
                    Mistake(format!("`{script}` runs with python3, which is not in PATH; install it"))
                })?;
                let script = around.folder.join(&script);
                if !script.is_file() {
                    return Err(Mistake(format!("there is no script `{}`", script.display())));
                }
                let args = std::iter::once(script.into_os_string()).chain(args).collect();
                return Ok(Self::Other { path: python, args });
            }
            Some(path) => return Ok(Self::Other { path: executable(&path, around)?, args }),
        };
        match args.first() {
            None => Ok(program),
            Some(first) => Err(Mistake(format!(
                "arguments after `--` (`{}`) are for a program of your own, and there is none",
                first.to_string_lossy().escape_debug()
            ))),
        }
    }

    /// Tasks on the embedded queue run inside this process.
    pub(super) fn must_run_inside(&self, url: &str) -> Result<(), Mistake> {
        match self {
            Self::BuiltIn { .. } => Ok(()),
            Self::Other { path, .. } => Err(Mistake(format!(
                "the queue `{}` lives in this process, and `{}` would run in others, which can't share it: give a \
                 queue that they reach with -q localhost:6379, or a tasks file (.toml) in place of the program",
                task_core::without_password(url),
                path.display()
            ))),
        }
    }
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
