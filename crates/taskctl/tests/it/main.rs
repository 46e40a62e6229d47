//! The real binary on a real Redis, as a shell sees it.

mod bad_input;
mod flows;
mod other_languages;
mod pair;
mod server;
