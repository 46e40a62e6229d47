//! Where the attributes of a `#[task]` function go: to the function, to the generated type, or to all that is generated.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

#[derive(Default)]
pub(super) struct Attributes {
    /// For the params type, beside `everywhere`.
    pub(super) params: Vec<Attribute>,
    /// For each generated item.
    pub(super) everywhere: Vec<Attribute>,
}

impl Attributes {
    /// Leaves with the function what is its own, and tells what the generated items get.
    pub(super) fn take(of_function: &mut Vec<Attribute>) -> Self {
        let mut attributes = Self::default();
        for attr in std::mem::take(of_function) {
            match subject(&attr.meta).as_str() {
                "derive" | "serde" => {
                    attributes.params.push(attr);
                    continue;
                }
                "doc" => attributes.params.push(attr.clone()),
                "deprecated" => {
                    attributes.params.push(attr.clone());
                    // The generated code has to use what it declares.
                    attributes.everywhere.push(syn::parse_quote!(#[allow(deprecated)]));
                }
                "cfg" | "allow" => attributes.everywhere.push(attr.clone()),
                _ => {}
            }
            of_function.push(attr);
        }
        attributes
    }
}

/// The attribute's name; of a `cfg_attr`, the name of the first attribute that it may become.
fn subject(meta: &Meta) -> String {
    if let Meta::List(list) = meta
        && list.path.is_ident("cfg_attr")
        && let Ok(parts) = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
        && let Some(first) = parts.get(1)
    {
        return subject(first);
    }
    meta.path().to_token_stream().to_string()
}
