//! What can be asked of source text, and done to it, without a syntax tree.

use proc_macro2::{Span, TokenStream, TokenTree};

/// The same `tokens`, which have no groups, as if written at `span`.
pub(crate) fn at(tokens: TokenStream, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(at).collect()
}

/// Whether `name` stands anywhere in `tokens`.
pub(crate) fn contains_ident(tokens: &TokenStream, name: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => contains_ident(&group.stream(), name),
        _ => false,
    })
}

/// Whether the type that `tokens` write holds a reference, or a lifetime other than `'static`.
pub(crate) fn borrows(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter().peekable();
    while let Some(token) = tokens.next() {
        let found = match token {
            TokenTree::Punct(punct) if punct.as_char() == '&' => true,
            TokenTree::Punct(punct) if punct.as_char() == '\'' => {
                !matches!(tokens.peek(), Some(TokenTree::Ident(lifetime)) if lifetime == "static")
            }
            TokenTree::Group(group) => borrows(&group.stream()),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn a_borrow_is_found_however_deep_it_lies() {
        for borrowed in
            [quote!(&str), quote!(Vec<(u8, &'static str)>), quote!(Cow<'_, str>), quote!([Item<'a>; 3])]
        {
            assert!(borrows(&borrowed), "{borrowed}");
        }
        for owned in [quote!(String), quote!(Cow<'static, str>), quote!(HashMap<String, Vec<u8>>)] {
            assert!(!borrows(&owned), "{owned}");
        }
    }

    #[test]
    fn an_identifier_is_found_however_deep_it_lies() {
        assert!(contains_ident(&quote!(test, derive(Debug, task_core::TaskParams)), "TaskParams"));
        assert!(!contains_ident(&quote!(Debug, OtherTaskParams), "TaskParams"));
    }
}
