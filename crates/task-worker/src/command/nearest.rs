//! The known word that a mistaken one probably meant.

/// A word that contains the other (`retries` in `max_retries`), or one that is a few letters away.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let contains = |k: &&str| word.len() >= 4 && k.contains(&*word) || k.len() >= 4 && word.contains(*k);
    if let Some(found) = known.clone().find(contains) {
        return Some(found);
    }
    let distance = |k: &str| strsim::damerau_levenshtein(&word, k);
    // a word of three letters is near to too many others
    known.min_by_key(|k| distance(k)).filter(|found| word.len() >= 4 && distance(found) <= word.len() / 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::keys;

    #[test]
    fn a_slip_finds_the_key_and_a_stranger_finds_none() {
        let cases = [
            ("timout", Some("timeout")),
            ("retries", Some("max_retries")),
            ("max-retries", Some("max_retries")),
            ("cmd", None),
            ("comand", Some("command")),
            ("environment", None),
            ("envs", Some("env")),
            ("pass_environment", Some("pass_env")),
            ("working_directory", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, keys().iter().map(|key| key.name)), expected, "for {word}");
        }
    }
}
