//! `#[derive(TaskParams)]`.

use crate::case;
use crate::errors::Errors;
use crate::options::Options;
use crate::params;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Meta, Result};

/// `core` finds task-core where the options don't say where it is.
pub(crate) fn expand(input: &DeriveInput, core: impl FnOnce() -> Result<TokenStream>) -> TokenStream {
    let mut errors = Errors::default();
    let options = options(&input.attrs, &mut errors);
    if let Data::Union(union) = &input.data {
        errors.at(
            union.union_token,
            "the params of a task are a struct or an enum: a union can't be serialized",
        );
        return errors.into_compile_errors();
    }
    if !input.generics.params.is_empty() {
        let message = "the params of a task are one type that owns its data: no lifetimes (`String`, not `&str`) \
                       and no generic parameters";
        errors.at(&input.generics, message);
        return errors.into_compile_errors();
    }
    let core = match &options.krate {
        Some(path) => Some(path.to_token_stream()),
        None => errors.keep(core()),
    };
    let implementation = core.map(|core| {
        let name = case::snake(&input.ident.unraw().to_string());
        let output = options.output.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream);
        params::implementation(&core, &input.ident, &name, &output, &options, &mut errors)
    });
    let errors = errors.into_compile_errors();
    quote!(#implementation #errors)
}

/// What all `#[task(…)]` of a type say together.
fn options(attrs: &[Attribute], errors: &mut Errors) -> Options {
    let mut options = Options::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("task")) {
        match &attr.meta {
            Meta::List(list) => options.read(list.tokens.clone(), errors),
            Meta::Path(_) => {}
            Meta::NameValue(_) => errors.at(attr, "write #[task(name = \"…\")]"),
        }
    }
    options
}
