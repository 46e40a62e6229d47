//! What a function has to look like to become a task.

use crate::errors::Errors;
use crate::item::Function;
use crate::options::Options;
use crate::tokens::{borrows, contains_ident};
use quote::ToTokens;
use syn::{ReturnType, Signature, Type};

/// Whether a task can be made of a function of this form.
pub(super) fn check(function: &Function, options: &Options, errors: &mut Errors) -> bool {
    let Signature { generics, unsafety, abi, variadic, output, .. } = &function.sig;
    let mut sound = true;
    let mut mistake = |tokens: &dyn ToTokens, message: &str| {
        errors.at(tokens.to_token_stream(), message);
        sound = false;
    };
    if !generics.params.is_empty() {
        mistake(
            generics,
            "a #[task] function has no generic parameters and no lifetimes: a task is one name and one type",
        );
    }
    if let Some(unsafety) = unsafety {
        mistake(unsafety, "a #[task] function is safe to call: check inside what it needs");
    }
    if let Some(abi) = abi {
        mistake(abi, "a #[task] function is a plain Rust function: call the `extern` one from it");
    }
    if let Some(variadic) = variadic {
        mistake(variadic, "a #[task] function has a fixed number of arguments");
    }
    if let ReturnType::Type(_, ty) = output {
        let tokens = ty.to_token_stream();
        if contains_ident(&tokens, "impl") {
            mistake(ty, "the output of a task has a type with a name, which `impl Trait` has not");
        } else if is_plain_value(ty) {
            let written = tokens.to_string().replace(' ', "");
            let message = format!(
                "a task may fail, so it can't return `{written}`: write `TaskResult<{written}>`, and return `Ok(…)` (the \
                 name of a `Result` of your own ends in `Result`)"
            );
            mistake(ty, &message);
        } else if borrows(&tokens) {
            mistake(
                ty,
                "the output of a task travels through a queue, so it owns its data: `String`, not `&str`",
            );
        }
    }
    if let Some(again) = function.attrs.iter().find(|attr| attr.path().is_ident("task")) {
        mistake(again, "#[task] stands here twice: write its options into one");
    }
    if let Some(output) = &options.output {
        // The task itself is sound, so it is still made.
        errors.at(output, "the output of a #[task] function is its return type: remove `output`");
    }
    sound
}

/// Whether `ty` is surely, or by its name, no `Result`. rustc would say so too, but once for each use.
fn is_plain_value(ty: &Type) -> bool {
    const PLAIN: [&str; 4] = ["Box", "HashMap", "Option", "Vec"];
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let plain = last.arguments.is_none() || PLAIN.iter().any(|plain| last.ident == plain);
            plain && !last.ident.to_string().ends_with("Result")
        }),
        Type::Tuple(tuple) => !tuple.elems.is_empty(),
        Type::Array(_) => true,
        _ => false,
    }
}
