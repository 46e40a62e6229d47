//! What each crate is published with.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use toml::Table;

/// Those of the registry's categories that we use; it refuses others.
const CATEGORIES: &[&str] =
    &["asynchronous", "command-line-utilities", "concurrency", "database", "development-tools::testing"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Folder of the crate → its manifest; of those that are published.
fn published() -> BTreeMap<String, Table> {
    let folders = fs::read_dir(root().join("crates")).unwrap();
    let crates = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let manifests = crates.map(|name| {
        let manifest: Table = read(root().join("crates").join(&name).join("Cargo.toml")).parse().unwrap();
        (name, manifest)
    });
    manifests.filter(|(_, manifest)| manifest["package"].get("publish").is_none()).collect()
}

/// The files of a crate's package, relative to its folder.
fn packaged(name: &str) -> BTreeSet<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["package", "--list", "--allow-dirty", "--locked", "--offline", "-p", name]);
    let output = cargo.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// `a/../b` is `b`; the path itself where it leads out of the crate.
fn plain(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            if !parts.pop() {
                return path.to_owned();
            }
        } else {
            parts.push(part);
        }
    }
    parts
}

fn strings(value: &toml::Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

#[test]
fn each_crate_says_what_it_is_in_the_words_that_the_registry_takes() {
    for (name, manifest) in published() {
        let package = manifest["package"].as_table().unwrap();
        assert!(package["description"].as_str().is_some_and(|text| text.len() > 30), "{name}");
        for inherited in ["version", "license", "rust-version", "authors"] {
            assert_eq!(package[inherited]["workspace"].as_bool(), Some(true), "{inherited} of {name}");
        }
        let keywords = strings(&package["keywords"]);
        assert!((1..=5).contains(&keywords.len()), "{name}: {keywords:?}");
        for word in keywords {
            let legal = |c: char| c.is_ascii_alphanumeric() || "_-+".contains(c);
            assert!(word.len() <= 20 && word.chars().all(legal), "{name}: {word}");
        }
        for category in strings(&package["categories"]) {
            assert!(CATEGORIES.contains(&category), "{name}: {category}");
        }
        let docs = &package["metadata"]["docs"]["rs"];
        assert_eq!(docs["all-features"].as_bool(), Some(true), "{name}");
        let page = read(root().join("crates").join(&name).join("README.md"));
        assert!(page.starts_with(&format!("# {name}\n")), "README.md of {name}");
    }
}

#[test]
fn what_is_published_depends_on_nothing_that_is_not_and_on_the_version_beside_it() {
    let workspace: Table = read(root().join("Cargo.toml")).parse().unwrap();
    let version = &workspace["workspace"]["package"]["version"];
    let published = published();
    for (name, manifest) in &published {
        let dependencies = manifest.get("dependencies").and_then(|table| table.as_table());
        for (on, how) in dependencies.into_iter().flatten() {
            let shared = &workspace["workspace"]["dependencies"];
            let how = if how.get("workspace").is_some() { &shared[on] } else { how };
            if how.get("path").is_some() {
                assert!(published.contains_key(on), "{name} depends on {on}, which is not published");
                assert_eq!(how.get("version"), Some(version), "{name} on {on}");
            }
        }
    }
}

#[test]
fn a_package_carries_its_page_both_licences_and_every_file_that_its_code_includes() {
    for name in published().into_keys() {
        let files = packaged(&name);
        for needed in ["Cargo.toml", "README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
            assert!(files.contains(Path::new(needed)), "{needed} is not in the package of {name}");
        }
        for file in files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "rs")) {
            let code = read(root().join("crates").join(&name).join(file));
            for opening in ["include_str!(\"", "include_bytes!(\"", "include!(\""] {
                for rest in code.split(opening).skip(1) {
                    let included = file.parent().unwrap().join(rest.split('"').next().unwrap());
                    let included = plain(&included);
                    let file = file.display();
                    assert!(files.contains(&included), "{file} of {name} includes {}", included.display());
                }
            }
        }
    }
}

#[test]
fn the_package_of_the_redis_backend_has_its_scripts() {
    let files = packaged("task-queue-redis");
    let folder = root().join("crates/task-queue-redis/src/lua");
    let scripts = fs::read_dir(folder).unwrap().map(|script| script.unwrap().file_name());
    let missing: Vec<_> =
        scripts.filter(|script| !files.contains(&Path::new("src/lua").join(script))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
