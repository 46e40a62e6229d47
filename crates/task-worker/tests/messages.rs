//! What a user's mistake looks like: one error, which fits a screen.
//!
//! After a change of a message: `TRYBUILD=overwrite cargo test -p task-worker --test messages`, and read the difference.

/// The compiler that worded the `.stderr` files; each release words some of them anew.
const WORDED_BY: &str = "rustc 1.95.";

#[test]
fn each_mistake_earns_its_message() {
    if worded_by_this_compiler() {
        trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
    }
}

#[test]
fn each_message_is_one_error_that_fits_a_screen() {
    let mut seen = 0;
    for file in std::fs::read_dir("tests/compile_fail").unwrap().map(|file| file.unwrap().path()) {
        if file.extension().is_some_and(|extension| extension == "stderr") {
            let message = std::fs::read_to_string(&file).unwrap();
            let errors = message.lines().filter(|line| line.starts_with("error")).count();
            assert_eq!(errors, 1, "{}:\n{message}", file.display());
            assert!(message.lines().count() <= 30, "{}:\n{message}", file.display());
            seen += 1;
        }
    }
    assert!(seen > 0, "there are messages");
}

fn worded_by_this_compiler() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = std::process::Command::new(rustc).arg("--version").output().expect("rustc runs");
    let version = String::from_utf8_lossy(&version.stdout);
    let same = version.starts_with(WORDED_BY);
    if !same {
        eprintln!("messages are compared under {WORDED_BY} only, and this is {version}");
    }
    same
}
