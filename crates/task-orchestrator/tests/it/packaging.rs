//! What the unit, the container's files and the Debian package say of the program is so.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::folder;

/// The default of `--grace`, and after it what a worker still gets before it is killed.
const STOPPING: Duration = Duration::from_secs(25 + 4);

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging")
}

fn read(file: &str) -> String {
    let path = packaging().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands after `key` in a file, up to the end of the line; there is exactly one.
fn value(file: &str, key: &str) -> String {
    let text = read(file);
    let values: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix(key)).collect();
    assert_eq!(values.len(), 1, "{key} in {file}");
    values[0].trim().to_owned()
}

#[test]
fn every_flag_that_is_given_to_the_orchestrator_is_one_of_its_flags() {
    let help = String::from_utf8(folder().command("--help").output().unwrap().stdout).unwrap();
    let known: Vec<&str> =
        help.split([' ', '\n', ',', '=']).filter(|word| word.starts_with("--") && word.len() > 2).collect();
    for (file, key) in [
        ("systemd/task-orchestrator.default", "ORCHESTRATOR_ARGS="),
        ("container/Containerfile", "CMD [\"--"),
        ("container/compose.yaml", "command: [\"--workers\""),
    ] {
        let line = format!("{key}{}", value(file, key));
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '-');
        let flags: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
        assert!(flags.contains(&"--workers"), "{line}");
        for flag in flags {
            assert!(known.contains(&flag), "{flag} of {file} is none of {known:?}");
        }
    }
}

#[test]
fn whoever_stops_it_waits_for_longer_than_it_may_take() {
    let seconds = |file, key| task_core::parse_duration(&value(file, key)).unwrap();
    assert!(seconds("systemd/task-orchestrator.service", "TimeoutStopSec=") > STOPPING);
    assert!(seconds("container/compose.yaml", "stop_grace_period:") > STOPPING);
}

#[test]
fn every_file_that_is_packaged_is_there() {
    let repository = packaging().join("..");
    let exists = |path: &Path| assert!(path.exists(), "{}", path.display());
    let containerfile = read("container/Containerfile");
    for line in containerfile.lines().filter_map(|line| line.strip_prefix("COPY LICENSE")) {
        let (sources, _) = line.rsplit_once(' ').unwrap();
        format!("LICENSE{sources}").split(' ').for_each(|source| exists(&repository.join(source)));
    }
    exists(&repository.join(value("container/compose.yaml", "dockerfile:")));
    for volume in
        read("container/compose.yaml").lines().filter_map(|line| line.trim().strip_prefix("- ../../"))
    {
        exists(&repository.join(volume.split(':').next().unwrap()));
    }
    let manifest: toml::Table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().unwrap();
    for asset in assets {
        let source = asset[0].as_str().unwrap();
        if !source.starts_with("../../target/") {
            exists(&Path::new(env!("CARGO_MANIFEST_DIR")).join(source));
        }
    }
    let installed: Vec<&str> = assets.iter().map(|asset| asset[1].as_str().unwrap()).collect();
    let environment = value("systemd/task-orchestrator.service", "EnvironmentFile=-/");
    assert!(installed.contains(&environment.as_str()), "{environment} is not in {installed:?}");
    let program = value("systemd/task-orchestrator.service", "ExecStart=/");
    assert!(
        program.starts_with("usr/bin/task-orchestrator ") && installed.contains(&"usr/bin/"),
        "{program}"
    );
}
