use std::path::Path;

use toml::{Spanned, de::DeValue};

/// A tasks file that is being read, with the mistakes found so far.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) folder: &'a Path,
    /// Line and words.
    mistakes: Vec<(usize, String)>,
}

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, folder: &'a Path) -> Self {
        Self { text, folder, mistakes: Vec::new() }
    }

    pub(super) fn has_mistakes(&self) -> bool {
        !self.mistakes.is_empty()
    }

    /// Line by line.
    pub(super) fn into_mistakes(mut self) -> Vec<(usize, String)> {
        self.mistakes.sort();
        self.mistakes
    }

    pub(super) fn wrong<T>(&mut self, at: &Spanned<T>, what: impl Into<String>) {
        self.wrong_at(at.span().start, what);
    }

    pub(super) fn wrong_at(&mut self, offset: usize, what: impl Into<String>) {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        self.mistakes.push((line, what.into()));
    }
}
