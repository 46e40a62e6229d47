//! Expansions as a whole, looked at as a user's crate would see them. What rustc makes of them is tested where the types
//! are, in task-worker.

mod function;
mod mistakes;
mod params;

use crate::{derive, item};
use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

/// The texts of all `compile_error!` in `tokens`.
pub(crate) fn messages(tokens: TokenStream) -> Vec<String> {
    let mut messages = Vec::new();
    let mut in_error = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if ident == "compile_error" => in_error = true,
            TokenTree::Group(group) if in_error => {
                messages.push(syn::parse2::<syn::LitStr>(group.stream()).expect("a message").value());
                in_error = false;
            }
            TokenTree::Group(group) => messages.extend(self::messages(group.stream())),
            _ => {}
        }
    }
    messages
}

/// `tokens` without spaces, so that a comparison does not depend on how tokens print.
fn compact(tokens: &TokenStream) -> String {
    tokens.to_string().replace(' ', "")
}

#[track_caller]
fn assert_holds(expanded: &TokenStream, part: TokenStream) {
    let (expanded, part) = (compact(expanded), compact(&part));
    assert!(expanded.contains(&part), "no\n{part}\nin\n{expanded}");
}

/// Expands without a mistake, into items.
#[track_caller]
fn sound(expanded: TokenStream) -> TokenStream {
    assert_eq!(messages(expanded.clone()), Vec::<String>::new());
    syn::parse2::<syn::File>(expanded.clone()).expect("items");
    expanded
}

/// The one mistake in it.
#[track_caller]
fn mistake(expanded: TokenStream) -> String {
    syn::parse2::<syn::File>(expanded.clone()).expect("items, also beside a mistake");
    let mut messages = messages(expanded);
    assert_eq!(messages.len(), 1, "{messages:#?}");
    messages.remove(0)
}

fn derived(input: TokenStream) -> TokenStream {
    derive::expand(&syn::parse2(input).expect("a type"), || Ok(quote!(::task_core)))
}

fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    item::expand(options, item, || Ok(quote!(::task_worker)))
}
