//! All that a person may be told, in one list that people read: an error that is added shows up in it, and must say what
//! was wrong, with which value, and what to do.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};

/// The crates that speak to people.
const CRATES: [&str; 8] = [
    "task-core",
    "task-macros",
    "task-monitor",
    "task-orchestrator",
    "task-queue-memory",
    "task-queue-redis",
    "task-worker",
    "taskctl",
];

const LIST: &str = "tests/words.txt";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The modules that only tests have, as their files are: `folder/name.rs` and what is in `folder/name/`.
fn only_for_tests(file: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(file).unwrap();
    let own = file.with_extension("");
    let folder = if ["lib", "main", "mod"].iter().any(|root| own.ends_with(root)) {
        file.parent().unwrap()
    } else {
        &own
    };
    let modules = text.split("#[cfg(test)]").skip(1).filter_map(|rest| {
        let name = rest.trim_start().strip_prefix("mod ")?.split_once(';')?.0;
        (!name.contains(' ')).then(|| folder.join(name))
    });
    modules.collect()
}

/// Each text of at least three words in these tokens, but for docs, tests, and what only the compiler reads.
fn texts(tokens: TokenStream, found: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut test = false;
    let mut before = String::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                // an attribute: `#[error("…")]` is for people, and what stands below `#[cfg(test)]` is not
                tokens.next_if(|next| matches!(next, TokenTree::Punct(mark) if mark.as_char() == '!'));
                let Some(TokenTree::Group(attribute)) = tokens.next() else { continue };
                let attribute = attribute.stream();
                let words = attribute.to_string();
                test |= words.starts_with("cfg (test") || words.starts_with("cfg (all (test");
                if words.starts_with("error (") {
                    texts(attribute, found);
                }
            }
            TokenTree::Punct(mark) if mark.as_char() == ';' => test = false,
            TokenTree::Group(group) => {
                // the body of a test module, or what `expect` says of a thing that can't happen
                let skipped =
                    (test && group.delimiter() == proc_macro2::Delimiter::Brace) || before == "expect";
                if skipped {
                    test = false;
                } else {
                    texts(group.stream(), found);
                }
            }
            TokenTree::Literal(literal) => {
                let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) else { continue };
                let text = text.value();
                let said = |word: &&str| word.contains(char::is_alphabetic) && !word.contains('{');
                if text.split_whitespace().filter(said).count() >= 3 {
                    found.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
                }
            }
            TokenTree::Ident(ident) => {
                before = ident.to_string();
                continue;
            }
            TokenTree::Punct(_) => {}
        }
        before.clear();
    }
}

fn list() -> String {
    let mut by_file = BTreeMap::new();
    for name in CRATES {
        let mut files = Vec::new();
        rust_files(&root().join("crates").join(name).join("src"), &mut files);
        let tests: Vec<PathBuf> = files.iter().flat_map(|file| only_for_tests(file)).collect();
        files.retain(|file| !tests.iter().any(|test| file.with_extension("").starts_with(test)));
        for file in files {
            let tokens = fs::read_to_string(&file).unwrap().parse().unwrap();
            let mut found = Vec::new();
            texts(tokens, &mut found);
            if !found.is_empty() {
                found.sort();
                found.dedup();
                by_file.insert(file.strip_prefix(root().join("crates")).unwrap().to_owned(), found);
            }
        }
    }
    let mut list = String::new();
    for (file, texts) in by_file {
        writeln!(list, "{}", file.display()).unwrap();
        for text in texts {
            writeln!(list, "    {text}").unwrap();
        }
    }
    list
}

#[test]
fn each_text_that_a_person_may_be_told_is_in_the_list_that_people_read() {
    let now = list();
    let path = root().join(LIST);
    let read = fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("TASKS_WRITE_WORDS").is_some() {
        fs::write(&path, now).unwrap();
        return;
    }
    let only = |one: &str, other: &str| -> String {
        let lines: Vec<&str> = other.lines().collect();
        one.lines().filter(|line| !lines.contains(line)).map(|line| format!("{line}\n")).collect()
    };
    assert!(
        now == read,
        "{LIST} is not what the code says; read what is new as whoever meets it (what was wrong? with which value? what is \
         to be done?), then write the list with TASKS_WRITE_WORDS=1 cargo nextest run -p task-tests words\nnew:\n{}gone:\n{}",
        only(&now, &read),
        only(&read, &now)
    );
}
