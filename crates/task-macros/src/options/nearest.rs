//! The known word that a mistaken one probably meant.

/// A word that contains the other (`retries` in `max_retries`), or one that is a few letters away.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = word.to_lowercase();
    let contained = |k: &&&str| word.len() >= 4 && k.contains(&*word) || word.contains(**k);
    if let Some(found) = known.iter().find(contained) {
        return Some(found);
    }
    let distance = |k: &str| strsim::damerau_levenshtein(&word, k);
    let found = known.iter().copied().min_by_key(|k| distance(k))?;
    (distance(found) <= word.len() / 3).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_and_a_stranger_finds_none() {
        let known = ["name", "alias", "priority", "max_retries", "timeout"];
        let cases = [
            ("retries", Some("max_retries")),
            ("max_retry", Some("max_retries")),
            ("aliases", Some("alias")),
            ("priorty", Some("priority")),
            ("Timeout", Some("timeout")),
            ("time_out", Some("timeout")),
            ("colour", None),
            ("x", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, &known), expected, "for {word}");
        }
    }
}
