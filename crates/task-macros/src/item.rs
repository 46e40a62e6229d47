//! `#[task]` as an attribute: on a function it makes a task; above a derive it gives way to it.

use crate::errors::Errors;
use crate::function;
use crate::options::Options;
use crate::tokens::contains_ident;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Attribute, Error, Meta, Result, Signature, Token, Visibility};

/// A function whose body stays unread: it may hold anything that rustc takes, also half-written in an editor.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    body: TokenStream,
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Self { attrs, vis, sig, body } = self;
        tokens.extend(quote!(#(#attrs)* #vis #sig #body));
    }
}

enum Item {
    Function(Box<Function>),
    /// A struct or an enum: its attributes, and all that follows them.
    Type(Vec<Attribute>, TokenStream),
    Other,
}

impl Parse for Item {
    fn parse(input: ParseStream) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let head = input.fork();
        head.parse::<Visibility>()?;
        if head.peek(Token![struct]) || head.peek(Token![enum]) || head.peek(Token![union]) {
            return Ok(Self::Type(attrs, input.parse()?));
        }
        if head.parse::<Signature>().is_err() {
            input.parse::<TokenStream>()?;
            return Ok(Self::Other);
        }
        let (vis, sig) = (input.parse()?, input.parse()?);
        if !input.peek(syn::token::Brace) {
            input.parse::<TokenStream>()?;
            return Ok(Self::Other);
        }
        Ok(Self::Function(Box::new(Function { attrs, vis, sig, body: input.parse()? })))
    }
}

/// `worker` finds task-worker where the options don't say where it is.
pub(crate) fn expand(
    options: TokenStream,
    item: TokenStream,
    worker: impl FnOnce() -> Result<TokenStream>,
) -> TokenStream {
    let mut errors = Errors::default();
    let expanded = match Item::parse.parse2(item.clone()) {
        Ok(Item::Function(function)) => {
            let mut read = Options::default();
            read.read(options, &mut errors);
            function::expand(*function, &read, worker, &mut errors)
        }
        Ok(Item::Type(attrs, rest)) if attrs.iter().any(derives_params) => {
            // `#[task(…)]` above the derive is this attribute, below it is the derive's own.
            quote!(#(#attrs)* #[task(#options)] #rest)
        }
        Ok(Item::Type(..)) => {
            let message = "#[task] on a type sets options of `#[derive(TaskParams)]`, which is not here: add the derive";
            errors.push(Error::new(Span::call_site(), message));
            item
        }
        Ok(Item::Other) | Err(_) => {
            let message = "#[task] goes on a function with a body, or beside #[derive(TaskParams)]; for a method, \
                           implement `Task` for the type";
            errors.push(Error::new(Span::call_site(), message));
            item
        }
    };
    let errors = errors.into_compile_errors();
    quote!(#expanded #errors)
}

/// `#[derive(…, TaskParams, …)]`, by any path, also inside a `cfg_attr`.
fn derives_params(attr: &Attribute) -> bool {
    let derives = ["derive", "cfg_attr"].iter().any(|name| attr.path().is_ident(name));
    derives && matches!(&attr.meta, Meta::List(list) if contains_ident(&list.tokens, "TaskParams"))
}
