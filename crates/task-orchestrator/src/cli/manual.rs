//! The manual page: the help's own words, as roff.

use std::io;

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

/// What stands between the examples and the rest in the template of a help.
const FLAGS: &str = "\n{usage-heading} {usage}\n\n{all-args}\n";

/// How a paragraph of the help begins, and the section that it becomes.
const SECTIONS: &[(&str, &str)] = &[
    ("Examples:", "EXAMPLES"),
    ("Environment:", "ENVIRONMENT"),
    ("Exit codes:", "EXIT STATUS"),
    ("TERM or INT:", "SIGNALS"),
];

/// Of a command whose help has this template.
pub(super) fn page(command: Command, template: &str) -> io::Result<Vec<u8>> {
    let (examples, rest) = template.split_once(FLAGS).unwrap_or((template, ""));
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    sections(examples).to_writer(&mut page)?;
    man.render_options_section(&mut page)?;
    sections(rest).to_writer(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// What stands before the first section is not said again.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    let (mut begun, mut as_it_is) = (false, false);
    for line in text.lines() {
        if let Some((_, title)) = SECTIONS.iter().find(|(begin, _)| line.starts_with(begin)) {
            roff.control("SH", [*title]);
            begun = true;
        }
        let indented = line.starts_with("  ");
        if begun && indented != as_it_is {
            roff.control(if indented { "nf" } else { "fi" }, []);
            as_it_is = indented;
        }
        if begun && !line.is_empty() && line != "Examples:" {
            roff.text([roman(line)]);
        }
    }
    if as_it_is {
        roff.control("fi", []);
    }
    roff
}
