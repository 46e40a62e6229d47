//! Through which dependency of the user's crate ours are reached.
//!
//! A derive that always says `::task_core` fails for whoever depends on task-worker alone. So the user's manifest
//! is asked which of our crates it names, and under what name.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Path, Result};

/// A package that reaches what is looked for, and the path to it inside that package.
type Door = (&'static str, &'static str);

/// From the nearest to the furthest.
const TO_CORE: [Door; 4] = [
    ("task-core", ""),
    ("task-worker", "::core"),
    ("task-queue-redis", "::task_core"),
    ("task-queue-memory", "::task_core"),
];
const TO_WORKER: [Door; 1] = [("task-worker", "")];

/// The path to task-core.
pub(crate) fn core() -> Result<TokenStream> {
    find(&TO_CORE, dependency)?.ok_or_else(|| {
        let message = "neither task-core nor task-worker is a dependency of this crate: add one to its Cargo.toml, \
                       or say where task-core is: #[task(crate = \"my_crate::task_core\")]";
        Error::new(Span::call_site(), message)
    })
}

/// The path to task-worker.
pub(crate) fn worker() -> Result<TokenStream> {
    find(&TO_WORKER, dependency)?.ok_or_else(|| {
        let message = "#[task] on a function needs task-worker, which is no dependency of this crate: add it to its \
                       Cargo.toml, or say where it is: #[task(crate = \"my_crate::task_worker\")]";
        Error::new(Span::call_site(), message)
    })
}

fn find(doors: &[Door], dependency: impl Fn(&str) -> Option<String>) -> Result<Option<TokenStream>> {
    for (package, inside) in doors {
        if let Some(name) = dependency(package) {
            let path: Path = syn::parse_str(&format!("::{name}{inside}"))?;
            return Ok(Some(quote!(#path)));
        }
    }
    Ok(None)
}

/// The name by which the crate that is compiled now knows `package`, if it does.
fn dependency(package: &str) -> Option<String> {
    match crate_name(package) {
        Ok(FoundCrate::Name(name)) => Some(name),
        // Our own crates see themselves under their own name (`extern crate self as task_core`), since doctests and
        // integration tests, which share their manifest, see them so too.
        Ok(FoundCrate::Itself) => Some(package.replace('-', "_")),
        Err(proc_macro_crate::Error::CrateNotFound { .. }) => None,
        // No manifest, as in a build without Cargo: the name of the package is the best guess.
        Err(_) => Some(package.replace('-', "_")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(doors: &[Door], dependencies: &[(&str, &str)]) -> Option<String> {
        let dependency = |package: &str| {
            dependencies.iter().find(|(p, _)| *p == package).map(|(_, name)| (*name).to_owned())
        };
        find(doors, dependency).unwrap().map(|path| path.to_string().replace(' ', ""))
    }

    #[test]
    fn the_nearest_dependency_is_taken_under_the_name_that_the_user_gave_it() {
        let core = |dependencies| found(&TO_CORE, dependencies);
        assert_eq!(core(&[("task-core", "task_core")]).unwrap(), "::task_core");
        assert_eq!(core(&[("task-worker", "task_worker"), ("task-core", "tasks")]).unwrap(), "::tasks");
        assert_eq!(core(&[("task-worker", "w"), ("task-queue-redis", "r")]).unwrap(), "::w::core");
        assert_eq!(
            core(&[("task-queue-redis", "task_queue_redis")]).unwrap(),
            "::task_queue_redis::task_core"
        );
        assert_eq!(core(&[("serde", "serde")]), None);
    }

    #[test]
    fn a_function_is_sent_to_the_worker() {
        let worker = |dependencies| found(&TO_WORKER, dependencies);
        assert_eq!(worker(&[("task-core", "task_core"), ("task-worker", "w")]).unwrap(), "::w");
        assert_eq!(worker(&[("task-core", "task_core")]), None);
    }

    #[test]
    fn a_crate_that_has_none_of_ours_is_told_which_to_add() {
        // This crate's own manifest, which is what Cargo shows to its tests, names none of them.
        assert!(core().unwrap_err().to_string().contains("add one to its Cargo.toml"));
        assert!(worker().unwrap_err().to_string().contains("needs task-worker"));
    }
}
