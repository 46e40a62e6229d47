//! The manual pages, `taskctl` and one for each command: the help's own words, as roff.

use std::{fs, io, path::Path};

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use super::help::{END, command, examples};

/// Writes `taskctl.1`, `taskctl-enqueue.1` and so on into this folder, which is made if it is not there.
pub(crate) fn write_to(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // the page that `taskctl help` would have says nothing
    let mut top = command().disable_help_subcommand(true);
    top.build();
    for command in top.get_subcommands().filter(|command| !command.is_hide_set()) {
        write(command, "", folder)?;
    }
    write(&top, END, folder)
}

fn write(command: &Command, end: &str, folder: &Path) -> io::Result<()> {
    let man = Man::new(command.clone()).source(concat!("taskctl ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    section("EXAMPLES", &examples(command.get_name())).to_writer(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    man.render_options_section(&mut page)?;
    if let Some((environment, exits)) = end.split_once("Exit codes: ") {
        section("ENVIRONMENT", environment.trim_start_matches("Environment:\n")).to_writer(&mut page)?;
        section("EXIT STATUS", exits).to_writer(&mut page)?;
    } else {
        section("SEE ALSO", "taskctl(1), for the environment and the exit codes").to_writer(&mut page)?;
    }
    fs::write(folder.join(man.get_filename()), page)
}

/// Indented lines stay as they are.
fn section(title: &str, text: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for line in text.lines() {
        match line {
            "" => roff.control("PP", []),
            line if line.starts_with("  ") => roff.control("nf", []).text([roman(line)]).control("fi", []),
            line => roff.text([roman(line)]),
        };
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_with_its_examples_and_flags() {
        let folder = tempfile::tempdir().unwrap();
        write_to(folder.path()).unwrap();
        let page = |name: &str| fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
        for command in command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            let page = page(&format!("taskctl-{name}"));
            assert!(page.contains(&format!("taskctl\\-{name} \\- ")), "{page}");
            assert!(page.contains(&format!("  taskctl {name}")), "an example of {name} in {page}");
            assert!(page.contains("\\-\\-json"), "{page}");
        }
        let top = page("taskctl");
        for said in [
            "taskctl\\-enqueue(1)",
            ".SH ENVIRONMENT",
            "REDIS_PASSWORD_FILE",
            ".SH \"EXIT STATUS\"",
            "4 no such task",
        ] {
            assert!(top.contains(said), "{said} in {top}");
        }
        assert!(!folder.path().join("taskctl-man.1").exists());
    }
}
