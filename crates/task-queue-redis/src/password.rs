//! Where a password comes from that the URL does not have.

use std::fmt;

use task_core::QueueError;

/// Where a password came from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PasswordFrom {
    Url,
    Variable,
    File(String),
    Nowhere,
}

impl fmt::Display for PasswordFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("the URL"),
            Self::Variable => f.write_str("REDIS_PASSWORD"),
            Self::File(path) => write!(f, "`{path}`, which REDIS_PASSWORD_FILE names"),
            Self::Nowhere => f.write_str("nowhere: neither the URL has one nor REDIS_PASSWORD"),
        }
    }
}

/// REDIS_PASSWORD, else the first line of the file that REDIS_PASSWORD_FILE names.
pub(crate) fn password(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(Option<String>, PasswordFrom), QueueError> {
    if let Some(password) = variable("REDIS_PASSWORD") {
        return Ok((Some(password), PasswordFrom::Variable));
    }
    let Some(path) = variable("REDIS_PASSWORD_FILE") else { return Ok((None, PasswordFrom::Nowhere)) };
    let wrong = |what: String| {
        let remedy = "it is to name a file whose first line is the password";
        QueueError::invalid(format!("REDIS_PASSWORD_FILE is `{path}`: {what}; {remedy}"))
    };
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok((Some(line.to_owned()), PasswordFrom::File(path))),
        None => Err(wrong("its first line is empty".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use crate::url::{Target, parse};

    #[test]
    fn a_password_of_the_url_goes_over_redis_password_and_that_over_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        std::fs::write(&file, "filed\r\nand more\n").unwrap();
        let file = file.to_str().unwrap().to_owned();
        let all = |name: &str| match name {
            "REDIS_PASSWORD" => Some("given".to_owned()),
            "REDIS_PASSWORD_FILE" => Some(file.clone()),
            _ => None,
        };
        let filed = |name: &str| all(name).filter(|_| name == "REDIS_PASSWORD_FILE");
        let lost = |name: &str| filed(name).map(|_| "/nowhere".to_owned());
        let password = |target: Target| target.login.password;
        assert_eq!(password(parse("redis://ann:own@h", all).unwrap()).unwrap(), "own");
        let target = parse("redis://ann@h", all).unwrap();
        assert_eq!(target.login.user.as_deref(), Some("ann"));
        assert_eq!(password(target).unwrap(), "given");
        assert_eq!(password(parse("h:6379", filed).unwrap()).unwrap(), "filed");
        assert_eq!(password(parse("h:6379", |_: &str| None).unwrap()), None);
        let error = parse("h:6379", lost).err().unwrap().to_string();
        assert!(error.contains("REDIS_PASSWORD_FILE") && error.contains("/nowhere"), "{error}");
    }

    #[test]
    fn a_file_without_a_password_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let empty = |name: &str| (name == "REDIS_PASSWORD_FILE").then(|| path.clone());
        let error = parse("h:6379", empty).err().unwrap().to_string();
        assert!(error.contains(&path) && error.contains("first line"), "{error}");
    }
}
