//! The arguments of a `#[task]` function: what travels, what the worker has, and the context of the run.

use crate::errors::Errors;
use crate::tokens::{borrows, contains_ident};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, Ident, Meta, Pat, PatType, Type, TypeReference};

pub(super) struct Argument {
    pub(super) role: Role,
    pub(super) name: Ident,
    /// The type that is kept for it, in the params or in the task; never a reference that ends.
    pub(super) owned: Type,
    /// The function takes a reference to what is kept.
    pub(super) by_ref: bool,
    /// Those that go to the field of the params.
    pub(super) attrs: Vec<Attribute>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Param,
    State,
    Context,
}

/// Reads the arguments, and takes from them the attributes that are not for rustc. `None` where no task can be made of
/// them.
pub(super) fn take<'a>(
    inputs: impl Iterator<Item = &'a mut FnArg>,
    errors: &mut Errors,
) -> Option<Vec<Argument>> {
    // Each argument is read even past a mistake, since rustc would not know the attributes of those unread.
    let read: Vec<_> = inputs.map(|input| Argument::take(input, errors)).collect();
    let arguments: Vec<_> = read.into_iter().collect::<Option<_>>()?;
    let context = |argument: &&Argument| argument.role == Role::Context;
    if let Some(second) = arguments.iter().filter(context).nth(1) {
        errors.at(&second.owned, format!("a run has one context, and `{}` is a second", second.name));
    }
    // rustc says so of the function; of the struct it would say it again.
    let twice =
        |(i, argument): (usize, &Argument)| arguments[..i].iter().any(|other| other.name == argument.name);
    if arguments.iter().enumerate().any(twice) {
        return None;
    }
    Some(arguments)
}

impl Argument {
    fn take(input: &mut FnArg, errors: &mut Errors) -> Option<Self> {
        let typed = match input {
            FnArg::Typed(typed) => typed,
            FnArg::Receiver(receiver) => {
                let message = "a #[task] function stands alone, and this is a method: implement `Task` for the type, \
                               and take what it needs from its fields";
                errors.at(receiver, message);
                return None;
            }
        };
        let (state, attrs) = take_attrs(typed, errors);
        let name = match &*typed.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => pat.ident.clone(),
            pattern => {
                let message = "an argument of a #[task] function is a plain name, since it becomes a field of the params: \
                               write `name: Type`";
                errors.at(pattern, message);
                return None;
            }
        };
        let ty = &*typed.ty;
        if contains_ident(&ty.to_token_stream(), "impl") {
            errors.at(ty, format!("`{name}` needs a type that has a name, which `impl Trait` has not"));
            return None;
        }
        let (role, owned, by_ref) = if is_context(ty) {
            if state {
                errors.at(ty, format!("`{name}` is the context of the run, not state: remove #[state]"));
            }
            let (owned, by_ref) = owned(ty);
            (Role::Context, owned, by_ref)
        } else if state {
            let (owned, by_ref) = owned(ty);
            (Role::State, owned, by_ref)
        } else {
            let (owned, by_ref) = param(&name, ty, errors)?;
            (Role::Param, owned, by_ref)
        };
        if let (Role::Context | Role::State, Type::Reference(TypeReference { mutability: Some(_), .. })) =
            (role, ty)
        {
            let message = format!(
                "`{name}` is shared by runs at the same time, so it can't be `&mut`: take `&`, with a lock or an atomic \
                 inside where it changes"
            );
            errors.at(ty, message);
            return None;
        }
        Some(Self { role, name, owned, by_ref, attrs })
    }

    /// The argument as the generated call passes it, from what is kept.
    pub(super) fn passed(&self, params: &Ident, state: &Ident, ctx: &Ident) -> TokenStream {
        let Self { name, owned, .. } = self;
        match (self.role, self.by_ref) {
            (Role::Param, false) => quote!(#params.#name),
            (Role::Param, true) => quote!(&#params.#name),
            (Role::State, true) => quote!(&#state.#name),
            // With the type's place, so that an error about a type that is not `Clone` points there.
            (Role::State, false) => quote_spanned! {owned.span()=>
                ::core::clone::Clone::clone(&#state.#name)
            },
            (Role::Context, false) => quote!(#ctx),
            (Role::Context, true) => quote!(&#ctx),
        }
    }
}

/// Whether the argument is `#[state]`, and the attributes for its field. Lint attributes stay with the function.
fn take_attrs(typed: &mut PatType, errors: &mut Errors) -> (bool, Vec<Attribute>) {
    let mut state = false;
    let mut for_field = Vec::new();
    for attr in std::mem::take(&mut typed.attrs) {
        let is = |name: &&str| attr.path().is_ident(name);
        if is(&"state") {
            if !matches!(attr.meta, Meta::Path(_)) {
                errors.at(&attr, "#[state] has no options");
            }
            state = true;
        } else if is(&"cfg") {
            errors.at(&attr, "an argument can't depend on #[cfg]: put it on the function");
        } else if ["allow", "expect", "warn", "deny", "forbid"].iter().any(is) {
            typed.attrs.push(attr);
        } else {
            for_field.push(attr);
        }
    }
    if state {
        let stray = for_field.iter().find(|attr| !attr.path().is_ident("doc"));
        if let Some(stray) = stray {
            errors.at(
                stray,
                "state does not travel, so this attribute has no effect on it: remove one of the two",
            );
        }
    }
    (state, for_field)
}

fn is_context(ty: &Type) -> bool {
    let bare = if let Type::Reference(reference) = ty { &*reference.elem } else { ty };
    matches!(bare, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "TaskContext"))
}

/// What has to be kept to pass a `ty`, and whether it is passed by reference.
fn owned(ty: &Type) -> (Type, bool) {
    match ty {
        Type::Reference(reference) if !is_static(reference) => (owner(&reference.elem).0, true),
        _ => (ty.clone(), false),
    }
}

fn is_static(reference: &TypeReference) -> bool {
    reference.mutability.is_none()
        && reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static")
}

/// What owns a `referred`, and the advice to take that instead. Types that have no size are owned by another one of the
/// standard library.
fn owner(referred: &Type) -> (Type, &'static str) {
    match referred {
        Type::Path(path) if path.path.is_ident("str") => {
            (syn::parse_quote!(::std::string::String), "`String`, not `&str`")
        }
        // By way of `ToOwned`, since a type of the user may have this name too.
        Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Path") => {
            (syn::parse_quote!(<#path as ::std::borrow::ToOwned>::Owned), "`PathBuf`, not `&Path`")
        }
        Type::Slice(slice) => {
            let element = &slice.elem;
            (syn::parse_quote!(::std::vec::Vec<#element>), "`Vec<T>`, not `&[T]`")
        }
        other => (other.clone(), "`T`, not `&T`"),
    }
}

/// A param as it is kept. A borrowed one is a mistake, and the expansion goes on with what would own it.
fn param(name: &Ident, ty: &Type, errors: &mut Errors) -> Option<(Type, bool)> {
    if !borrows(&ty.to_token_stream()) {
        return Some((ty.clone(), false));
    }
    let (owner, instead) = match ty {
        Type::Reference(reference) => {
            let (owner, instead) = owner(&reference.elem);
            (Some(owner).filter(|owner| !borrows(&owner.to_token_stream())), instead)
        }
        _ => (None, "`String`, not `&str`"),
    };
    let message = format!(
        "`{name}` borrows, and params travel through a queue, so they own their data: {instead} (or mark it #[state], if \
         the worker has it)"
    );
    errors.at(ty, message);
    Some((owner?, true))
}
