//! What `#[task(…)]` may say, on a type and on a function alike.

mod nearest;
mod value;

pub(crate) use value::invalid_name;

use crate::errors::Errors;
use proc_macro2::TokenStream;
use std::time::Duration;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, Ident, LitStr, Path, Result, Token, Type};

/// In the order in which messages and documentation list them.
const KNOWN: [&str; 11] = [
    "name",
    "alias",
    "output",
    "queue",
    "priority",
    "max_retries",
    "max_crashes",
    "backoff",
    "timeout",
    "retention",
    "crate",
];

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) aliases: Vec<LitStr>,
    pub(crate) output: Option<Type>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) priority: Option<u8>,
    pub(crate) max_retries: Option<u32>,
    pub(crate) max_crashes: Option<u8>,
    /// The first wait and, where they grow, the longest.
    pub(crate) backoff: Option<(Duration, Option<Duration>)>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retention: Option<Duration>,
    pub(crate) krate: Option<Path>,
    seen: Vec<String>,
}

impl Options {
    /// Reads the inside of one `#[task(…)]`; a type may carry several.
    pub(crate) fn read(&mut self, tokens: TokenStream, errors: &mut Errors) {
        let read = |input: ParseStream| self.read_all(input, errors);
        let read = read.parse2(tokens);
        errors.keep(read);
    }

    fn read_all(&mut self, input: ParseStream, errors: &mut Errors) -> Result<()> {
        while !input.is_empty() {
            self.read_one(input, errors)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    /// `Err` where reading can't go on; any other mistake goes to `errors`.
    fn read_one(&mut self, input: ParseStream, errors: &mut Errors) -> Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("an option is written `key = value`, such as `name = \"extract\"`"));
        }
        let key = input.call(Ident::parse_any)?;
        let option = key.unraw().to_string();
        if !KNOWN.contains(&option.as_str()) {
            return Err(Error::new(key.span(), unknown(&option)));
        }
        if !input.peek(Token![=]) {
            let message = format!("`{option}` needs a value: `{option} = {}`", example(&option));
            return Err(Error::new(key.span(), message));
        }
        input.parse::<Token![=]>()?;
        if option != "alias" && self.seen.contains(&option) {
            errors.at(&key, format!("`{option}` is given twice"));
        }
        self.seen.push(option.clone());

        if option == "output" {
            self.output = Some(input.parse()?);
            return Ok(());
        }
        // Any expression is read, so that a mistake in one value does not hide those after it.
        let value: Expr = input.parse()?;
        let value = &value;
        match option.as_str() {
            "name" => self.name = errors.keep(value::name("task", value)),
            "alias" => self.add_alias(errors.keep(value::name("task", value)), errors),
            "queue" => self.queue = errors.keep(value::name("queue", value)),
            "priority" => self.priority = errors.keep(value::integer("priority", value, 100)),
            "max_retries" => self.max_retries = errors.keep(value::integer("max_retries", value, u32::MAX)),
            "max_crashes" => self.max_crashes = errors.keep(value::integer("max_crashes", value, u8::MAX)),
            "backoff" => self.backoff = errors.keep(value::backoff(value)),
            "timeout" => self.timeout = errors.keep(value::timeout(value)),
            "retention" => self.retention = errors.keep(value::duration(value)),
            _ => self.krate = errors.keep(value::path(value)),
        }
        Ok(())
    }

    fn add_alias(&mut self, alias: Option<LitStr>, errors: &mut Errors) {
        let Some(alias) = alias else { return };
        if self.aliases.iter().any(|other| other.value() == alias.value()) {
            errors.at(&alias, format!("the alias `{}` is given twice", alias.value()));
        } else {
            self.aliases.push(alias);
        }
    }
}

fn unknown(option: &str) -> String {
    let nearest = nearest::nearest(option, &KNOWN);
    let hint = nearest.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default();
    format!("unknown option `{option}`; a task has: {}{hint}", KNOWN.join(", "))
}

fn example(option: &str) -> &'static str {
    match option {
        "output" => "Report",
        "priority" => "80",
        "max_retries" | "max_crashes" => "3",
        "backoff" => "\"1s..10m\"",
        "timeout" => "\"30s\"",
        "retention" => "\"2h\"",
        "crate" => "\"my_crate::task_core\"",
        _ => "\"extract\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expansion::messages;
    use quote::quote;

    fn read(tokens: TokenStream) -> (Options, Vec<String>) {
        let (mut options, mut errors) = (Options::default(), Errors::default());
        options.read(tokens, &mut errors);
        (options, messages(errors.into_compile_errors()))
    }

    /// The one message that `tokens` earn.
    fn mistake(tokens: TokenStream) -> String {
        let (_, mut messages) = read(tokens);
        assert_eq!(messages.len(), 1, "{messages:?}");
        messages.remove(0)
    }

    #[test]
    fn every_option_is_read() {
        let (options, messages) = read(quote! {
            name = "extract", alias = "parse", alias = "scan", output = HashMap<String, u64>, queue = "mail", priority = 80,
            max_retries = 5, max_crashes = 0, backoff = "5s", timeout = "30s", retention = "2h", crate = "app::tasks",
        });
        assert_eq!(messages, Vec::<String>::new());
        assert_eq!(options.name.unwrap().value(), "extract");
        assert_eq!(options.aliases.iter().map(LitStr::value).collect::<Vec<_>>(), ["parse", "scan"]);
        assert!(options.output.is_some());
        assert_eq!(options.queue.unwrap().value(), "mail");
        assert_eq!(
            (options.priority, options.max_retries, options.max_crashes),
            (Some(80), Some(5), Some(0))
        );
        assert_eq!(options.backoff, Some((Duration::from_secs(5), None)));
        assert_eq!(options.timeout, Some(Duration::from_secs(30)));
        assert_eq!(options.retention, Some(Duration::from_secs(7200)));
        let krate = options.krate.unwrap();
        assert_eq!(quote!(#krate).to_string(), quote!(app::tasks).to_string());
    }

    #[test]
    fn an_unknown_option_is_told_what_there_is_and_the_nearest() {
        assert_eq!(
            mistake(quote!(retries = 3)),
            "unknown option `retries`; a task has: name, alias, output, queue, priority, max_retries, max_crashes, \
             backoff, timeout, retention, crate; did you mean `max_retries`?"
        );
        assert!(
            mistake(quote!(colour = "red")).ends_with("retention, crate"),
            "nothing is near, nothing is suggested"
        );
    }

    #[test]
    fn an_option_without_a_value_is_told_how_to_write_one() {
        assert_eq!(mistake(quote!(timeout)), "`timeout` needs a value: `timeout = \"30s\"`");
        assert_eq!(mistake(quote!(priority(3))), "`priority` needs a value: `priority = 80`");
        assert_eq!(
            mistake(quote!("extract")),
            "an option is written `key = value`, such as `name = \"extract\"`"
        );
    }

    #[test]
    fn an_option_given_twice_is_a_mistake_but_several_aliases_are_not() {
        assert_eq!(mistake(quote!(queue = "a", queue = "b")), "`queue` is given twice");
        assert_eq!(mistake(quote!(alias = "a", alias = "a")), "the alias `a` is given twice");
    }

    #[test]
    fn a_mistake_does_not_hide_the_options_after_it() {
        let (options, messages) = read(quote!(timeout = "30 sec", priority = 101, max_retries = 4));
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert_eq!(options.max_retries, Some(4));
    }
}
