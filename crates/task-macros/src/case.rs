//! Names of types and of tasks, one from the other.

/// The default name of a task: the name of its params in snake_case. A run of capitals is one word, `HTTPFetch` is
/// `http_fetch`. The name goes over the wire, so this function must never change its mind.
pub(crate) fn snake(pascal: &str) -> String {
    let chars: Vec<char> = pascal.chars().collect();
    let mut snake = String::with_capacity(pascal.len() + 4);
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| chars[i]);
        let after = chars.get(i + 1);
        let begins_word = c.is_uppercase()
            && before.is_some_and(|b| {
                b.is_lowercase()
                    || b.is_numeric()
                    || b.is_uppercase() && after.is_some_and(|a| a.is_lowercase())
            });
        if begins_word {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// The name of the params type of a `#[task]` function: `count_words` is `CountWords`.
pub(crate) fn pascal(snake: &str) -> String {
    let words = snake.split('_').map(|word| {
        let mut chars = word.chars();
        chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect::<String>()
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_name_becomes_a_task_name_word_by_word() {
        let names = [
            ("Extract", "extract"),
            ("CountWords", "count_words"),
            ("HTTPFetch", "http_fetch"),
            ("FetchHTTP", "fetch_http"),
            ("Sha256Sum", "sha256_sum"),
            ("S3Upload", "s3_upload"),
            ("A", "a"),
            ("Already_Split", "already_split"),
            ("extract", "extract"),
        ];
        for (pascal, expected) in names {
            assert_eq!(snake(pascal), expected, "of {pascal}");
        }
    }

    #[test]
    fn a_function_name_becomes_a_type_name_word_by_word() {
        let names =
            [("resize", "Resize"), ("count_words", "CountWords"), ("_ping", "Ping"), ("send_2fa", "Send2fa")];
        for (snake, expected) in names {
            assert_eq!(pascal(snake), expected, "of {snake}");
        }
    }
}
