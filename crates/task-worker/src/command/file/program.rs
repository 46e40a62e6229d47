use std::{
    env, fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::reader::{Reader, Value};

impl Reader<'_> {
    /// Where the program lies: relative to the file's folder if it has a slash, else in PATH.
    pub(super) fn program(&mut self, at: &Value<'_>, place: &str, program: &str) -> Option<PathBuf> {
        let shown = program.escape_debug();
        if program.contains('/') {
            let path = self.folder.join(program);
            let (why, remedy) = if is_executable(&path) {
                match misread(&path) {
                    Some(mistake) => mistake,
                    None => return Some(path),
                }
            } else if path.exists() {
                ("is no executable file".into(), "make it one with chmod +x")
            } else {
                let remedy = "a program with a slash lies relative to the folder of the tasks file";
                ("is not there".into(), remedy)
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

/// Why the system would not start the script that this is, or would start something else, and the remedy.
fn misread(program: &Path) -> Option<(String, &'static str)> {
    let mut start = Vec::new();
    // what can't be read may still be started
    fs::File::open(program).ok()?.take(256).read_to_end(&mut start).ok()?;
    let Some(line) = start.strip_prefix(b"#!") else {
        let python = program.extension().is_some_and(|ending| ending == "py");
        let why = "does not begin with a line like #!/usr/bin/env python3, so that a shell would run it";
        return python.then(|| (why.into(), "write that line, or command = [\"python3\", \"SCRIPT\"]"));
    };
    let line = line.split(|byte| *byte == b'\n').next()?;
    if line.ends_with(b"\r") {
        let why = "has the line ends of Windows, so that its interpreter is not found";
        return Some((why.into(), "take them out with sed -i 's/\\r$//'"));
    }
    let interpreter = String::from_utf8_lossy(line.trim_ascii()).split([' ', '\t']).next()?.to_owned();
    let absent = interpreter.starts_with('/') && !Path::new(&interpreter).exists();
    absent.then(|| {
        let why = format!("begins with #!{}, which is not there", interpreter.escape_debug());
        (why, "install that, or mend the line")
    })
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::command::TaskFile;

    #[test]
    fn a_script_that_would_not_run_as_it_is_meant_is_told_before_anything_starts() {
        // it was told at its first run, as a program that is not there, or by a shell that was given Python
        for (script, said, remedy) in [
            ("#!/usr/bin/env python3\r\nprint(1)\r\n", "has the line ends of Windows", "sed -i 's/\\r$//'"),
            ("import sys\n", "does not begin with a line like #!", "\"python3\", \"SCRIPT\""),
            ("#!/no/such/python -u\n", "begins with #!/no/such/python, which is not there", "mend the line"),
            ("#! /usr/bin/env python3\n", "", ""),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let program = folder.path().join("a.py");
            fs::write(&program, script).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            let file = folder.path().join("tasks.toml");
            fs::write(&file, "[tasks.a]\ncommand = [\"./a.py\"]\n").unwrap();
            match TaskFile::load(&file).map_err(|error| error.to_string()) {
                Ok(_) => assert_eq!(said, "", "{script}"),
                Err(error) => {
                    let place = format!("tasks.toml:2: the program `./a.py` of [tasks.a] {said}");
                    assert!(!said.is_empty() && error.contains(&place), "{error}");
                    assert!(error.contains(remedy), "{error}");
                }
            }
        }
    }
}
