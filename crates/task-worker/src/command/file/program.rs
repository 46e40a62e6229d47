use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::reader::{Reader, Value};

impl Reader<'_> {
    /// Where the program lies: relative to the file's folder if it has a slash, else in PATH.
    pub(super) fn program(&mut self, at: &Value<'_>, place: &str, program: &str) -> Option<PathBuf> {
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
