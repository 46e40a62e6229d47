//! `impl TaskParams`, which the derive and `#[task]` functions share.

use crate::errors::Errors;
use crate::options::{Options, invalid_name};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use std::time::Duration;
use syn::Ident;

/// `default_name` is the task's name unless the options give one.
pub(crate) fn implementation(
    core: &TokenStream,
    params: &Ident,
    default_name: &str,
    output: &TokenStream,
    options: &Options,
    errors: &mut Errors,
) -> TokenStream {
    let name = match &options.name {
        Some(literal) => literal.value(),
        None => {
            if let Some(invalid) = invalid_name("task", default_name) {
                errors.at(params, format!("{invalid}; give the task one by #[task(name = \"…\")]"));
            }
            default_name.to_owned()
        }
    };
    let aliases = &options.aliases;
    for alias in aliases.iter().filter(|alias| alias.value() == name) {
        errors.at(alias, format!("`{name}` is the task's name already; an alias is a former name"));
    }
    let settings = settings(core, options);
    quote! {
        #[automatically_derived]
        impl #core::TaskParams for #params {
            const NAME: &'static str = #name;
            const ALIASES: &'static [&'static str] = &[#(#aliases),*];
            type Output = #output;
            fn options() -> #core::TaskOptions {
                #core::TaskOptions::default() #settings
            }
        }
    }
}

/// The calls of `TaskOptions`' builder; what is not given keeps the framework's default.
fn settings(core: &TokenStream, options: &Options) -> TokenStream {
    let mut calls = TokenStream::new();
    let mut call = |option: &str, value: Option<TokenStream>| {
        let method = format_ident!("{option}");
        calls.extend(value.map(|value| quote!(.#method(#value))));
    };
    let duration = |duration: Duration| {
        let millis = u64::try_from(duration.as_millis()).expect("it was read from milliseconds in a u64");
        quote!(#core::__private::Duration::from_millis(#millis))
    };
    call("queue", options.queue.as_ref().map(|queue| quote!(#queue)));
    call("priority", options.priority.map(|priority| quote!(#priority)));
    call("max_retries", options.max_retries.map(|retries| quote!(#retries)));
    call("max_crashes", options.max_crashes.map(|crashes| quote!(#crashes)));
    let backoff = options.backoff.map(|(first, longest)| match longest {
        Some(longest) => {
            let (first, longest) = (duration(first), duration(longest));
            quote!(#core::RetryPolicy::exponential(#first, #longest))
        }
        None => {
            let wait = duration(first);
            quote!(#core::RetryPolicy::fixed(#wait))
        }
    });
    call("backoff", backoff);
    call("timeout", options.timeout.map(duration));
    call("retention", options.retention.map(duration));
    calls
}
