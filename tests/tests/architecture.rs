//! The arrows between crates, as docs/architecture.md draws them.

use std::{collections::BTreeMap, fs, path::Path};

/// Crate → the crates of ours that it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("task-macros", &[]),
    ("task-core", &["task-macros"]),
    ("task-queue-memory", &["task-core"]),
    ("task-queue-redis", &["task-core"]),
    ("task-worker", &["task-core", "task-macros"]),
    ("task-monitor", &["task-core"]),
    (
        "task-orchestrator",
        &["task-core", "task-monitor", "task-queue-memory", "task-queue-redis", "task-worker"],
    ),
    ("taskctl", &["task-core", "task-queue-redis"]),
    (
        "task-bench",
        &[
            "task-core",
            "task-orchestrator",
            "task-queue-memory",
            "task-queue-redis",
            "task-testkit",
            "task-worker",
        ],
    ),
    ("task-testkit", &["task-core", "task-worker"]),
];

/// Crate → what it must not carry, its dependencies' dependencies included.
const ABSENT: &[(&str, &[&str])] = &[
    ("task-core", &["mio", "redis", "clap", "deadpool-redis"]),
    ("task-queue-memory", &["mio", "redis", "clap"]),
    ("task-worker", &["redis", "clap", "deadpool-redis"]),
    ("task-monitor", &["redis", "clap"]),
];

/// The most packages that task-core may bring along.
const CORE_PACKAGES: usize = 60;

fn manifests() -> BTreeMap<String, toml::Table> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path().join("Cargo.toml");
        let manifest: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
        (manifest["package"]["name"].as_str().unwrap().to_owned(), manifest)
    };
    fs::read_dir(crates).unwrap().map(read).collect()
}

fn tree(package: &str) -> Vec<String> {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "-e", "normal", "--prefix", "none", "-f", "{p}", "-p", package]);
    let output = cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<String> =
        text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn crates_depend_on_each_other_only_as_the_architecture_draws_it() {
    let manifests = manifests();
    let expected: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for (name, manifest) in &manifests {
        let allowed =
            expected.get(name.as_str()).unwrap_or_else(|| panic!("{name} is not in the table of arrows"));
        let dependencies =
            manifest.get("dependencies").and_then(|d| d.as_table()).cloned().unwrap_or_default();
        for dependency in dependencies.keys().filter(|d| manifests.contains_key(*d)) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
    assert_eq!(manifests.len(), ARROWS.len(), "a crate of the table is gone");
}

#[test]
fn a_crate_carries_nothing_of_the_layers_that_it_must_not_know() {
    for (name, absent) in ABSENT {
        let packages = tree(name);
        for package in *absent {
            assert!(!packages.iter().any(|p| p == package), "{name} carries {package}");
        }
    }
}

#[test]
fn task_core_stays_light() {
    let packages = tree("task-core");
    assert!(packages.len() < CORE_PACKAGES, "task-core carries {}: {packages:?}", packages.len());
}
