//! Every link of every page leads somewhere: to a file that is there, and in it to a heading that is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// The Markdown files of the repository, but not what builds leave.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            pages(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

#[derive(Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let (mut page, mut heading) = (Self::default(), None);
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.anchor(&heading.take().unwrap()),
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::Start(Tag::Link { link_type, dest_url, .. }) if link_type != LinkType::Autolink => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Image { dest_url, .. }) => page.links.push(dest_url.into_string()),
                _ => {}
            }
        }
        page
    }

    /// As forges and mdBook name it: a second one of the same words gets a number.
    fn anchor(&mut self, heading: &str) {
        let plain = heading.to_lowercase();
        let kept = plain.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let mut numbered = name.clone();
        for number in 1.. {
            if self.anchors.insert(numbered) {
                return;
            }
            numbered = format!("{name}-{number}");
        }
    }
}

/// What is wrong with a link of this page, if anything is.
fn wrong(page: &Path, link: &str, pages: &BTreeMap<PathBuf, Page>) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.to_owned() } else { page.parent().unwrap().join(file) };
    let Ok(target) = fs::canonicalize(target) else { return Some("no such file".into()) };
    if !target.starts_with(root()) {
        return Some("leads out of the repository".into());
    }
    if anchor.is_empty() {
        return None;
    }
    let anchors = &pages.get(&target)?.anchors;
    (!anchors.contains(anchor)).then(|| format!("no such heading; there are {anchors:?}"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let mut paths = Vec::new();
    pages(&root(), &mut paths);
    let pages: BTreeMap<PathBuf, Page> =
        paths.into_iter().map(|path| (path.clone(), Page::read(&path))).collect();
    let links = pages.iter().flat_map(|(path, page)| page.links.iter().map(move |link| (path, link)));
    let links: Vec<_> = links.collect();
    assert!(links.len() > 50, "only {} links were found", links.len());
    let broken: Vec<String> = links
        .into_iter()
        .filter_map(|(path, link)| {
            Some(format!("{}: {link}: {}", path.display(), wrong(path, link, &pages)?))
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_link_to_a_missing_file_or_heading_is_found() {
    let path = root().join("README.md");
    let pages = BTreeMap::from([(path.clone(), Page::read(&path))]);
    for bad in ["no.md", "docs/no.md#x", "#no-such-heading", "README.md#no-such-heading", "../"] {
        assert!(wrong(&path, bad, &pages).is_some(), "{bad}");
    }
    for good in ["docs", "#quick-start", "README.md#quick-start", "https://semver.org"] {
        assert_eq!(wrong(&path, good, &pages), None);
    }
}

#[test]
fn the_site_has_every_page_of_the_docs() {
    let summary = Page::read(&root().join("docs/SUMMARY.md")).links;
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_page = name.ends_with(".md") && name != "SUMMARY.md";
        assert!(!is_page || summary.contains(&name), "{name} is not in docs/SUMMARY.md");
    }
}
