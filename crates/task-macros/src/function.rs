//! `#[task]` on a function: the function as it was, the params, and the task that calls it with them.

mod argument;
mod attributes;

use crate::case;
use crate::errors::Errors;
use crate::item::Function;
use crate::options::Options;
use crate::params;
use crate::tokens::{self, borrows, contains_ident};
use argument::{Argument, Role};
use attributes::Attributes;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, Result, ReturnType, Signature, Type};

/// Types of the prelude that a generated one of the same name would hide from the module around it.
const PRELUDE: [&str; 5] = ["Box", "Option", "Result", "String", "Vec"];

/// The function is given back in any case, so that a mistake is not followed by errors at its callers.
pub(crate) fn expand(
    mut function: Function,
    options: &Options,
    worker: impl FnOnce() -> Result<TokenStream>,
    errors: &mut Errors,
) -> TokenStream {
    let attributes = Attributes::take(&mut function.attrs);
    let arguments = argument::take(function.sig.inputs.iter_mut(), errors);
    let worker = match &options.krate {
        Some(path) => Some(path.to_token_stream()),
        None => errors.keep(worker()),
    };
    let sound = check(&function, options, errors);
    let params = params_name(&function.sig.ident, errors);
    let (Some(arguments), Some(worker), Some(params), true) = (arguments, worker, params, sound) else {
        return function.into_token_stream();
    };
    let task = TaskFn { function: &function, params, worker, arguments };
    let declaration = task.declaration(&attributes.params);
    let params_impl = task.params_impl(options, errors);
    let constructor = task.constructor();
    let everywhere = &attributes.everywhere;
    quote! {
        #function
        #(#everywhere)* #declaration
        #(#everywhere)* #params_impl
        #(#everywhere)* #constructor
    }
}

/// Whether a task can be made of a function of this form.
fn check(function: &Function, options: &Options, errors: &mut Errors) -> bool {
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

fn params_name(function: &Ident, errors: &mut Errors) -> Option<Ident> {
    let name = case::pascal(&function.unraw().to_string());
    if PRELUDE.contains(&name.as_str()) {
        let message = format!(
            "the params of `{function}` would be a struct `{name}`, which hides the standard one: give \
                               the function another name"
        );
        errors.at(function, message);
        return None;
    }
    let Ok(mut params) = syn::parse_str::<Ident>(&name) else {
        errors.at(
            function,
            format!("the params of `{function}` can't be named after it: give the function another name"),
        );
        return None;
    };
    params.set_span(function.span());
    Some(params)
}

struct TaskFn<'a> {
    function: &'a Function,
    params: Ident,
    worker: TokenStream,
    arguments: Vec<Argument>,
}

impl TaskFn<'_> {
    fn core(&self) -> TokenStream {
        let worker = &self.worker;
        quote!(#worker::core)
    }

    fn role(&self, role: Role) -> impl Iterator<Item = &Argument> {
        self.arguments.iter().filter(move |argument| argument.role == role)
    }

    /// `struct Resize { … }`.
    fn declaration(&self, attrs: &[syn::Attribute]) -> TokenStream {
        let (core, params, vis, function) =
            (self.core(), &self.params, &self.function.vis, &self.function.sig.ident);
        let serde = quote!(#core::__private::serde);
        let serde_path = serde.to_string().replace(' ', "");
        let fields = self.role(Role::Param).map(|Argument { name, owned, attrs, .. }| {
            let documented = attrs.iter().any(|attr| attr.path().is_ident("doc"));
            let doc = format!("The argument `{name}` of [`{function}`].");
            let doc = (!documented).then(|| quote!(#[doc = #doc]));
            quote!(#(#attrs)* #doc #vis #name: #owned)
        });
        let documented = attrs.iter().any(|attr| attr.path().is_ident("doc"));
        let break_ = documented.then(|| quote!(#[doc = ""]));
        let doc = format!("The params of the task [`{function}`], which [`Self::task`] makes.");
        quote! {
            #[derive(#serde::Serialize, #serde::Deserialize)]
            #[serde(crate = #serde_path)]
            #(#attrs)* #break_ #[doc = #doc]
            #vis struct #params { #(#fields),* }
        }
    }

    /// `impl TaskParams for Resize`.
    fn params_impl(&self, options: &Options, errors: &mut Errors) -> TokenStream {
        let name = self.function.sig.ident.unraw().to_string();
        let returned = self.returned();
        let worker = &self.worker;
        let output = quote_spanned!(returned.span()=> <#returned as #worker::TaskReturn>::Value);
        params::implementation(&self.core(), &self.params, &name, &output, options, errors)
    }

    fn returned(&self) -> TokenStream {
        match &self.function.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) => ty.to_token_stream(),
        }
    }

    /// `Resize::task(state…)`. The types of the task itself hide inside it, so that the module gets one new name only.
    fn constructor(&self) -> TokenStream {
        let (worker, params, vis) = (&self.worker, &self.params, &self.function.vis);
        let doc =
            format!("The task that calls [`{}`], for the registry of a worker.", self.function.sig.ident);
        let (names, types): (Vec<&Ident>, Vec<&Type>) =
            self.role(Role::State).map(|state| (&state.name, &state.owned)).unzip();
        let run = self.run();
        quote! {
            impl #params {
                #[doc = #doc]
                #[must_use = "a task runs only where it is registered"]
                #vis fn task(#(#names: #types),*) -> impl #worker::Task<Params = #params> {
                    struct __State { #(#names: #types),* }
                    // Shared, since a blocking run takes its part of it to another thread.
                    struct __Task(::std::sync::Arc<__State>);
                    impl #worker::Task for __Task {
                        type Params = #params;
                        #run
                    }
                    __Task(::std::sync::Arc::new(__State { #(#names),* }))
                }
            }
        }
    }

    /// `Task::run`, which calls the function.
    fn run(&self) -> TokenStream {
        let (core, worker, params_type) = (self.core(), &self.worker, &self.params);
        let function = &self.function.sig.ident;
        // Names that no argument and no function of the user can meet.
        let name = |name: &str| Ident::new(name, Span::mixed_site());
        let (params, state, ctx) = (name("params"), name("state"), name("ctx"));
        let passed = self.arguments.iter().map(|argument| argument.passed(&params, &state, &ctx));
        let call = quote!(#function(#(#passed),*));
        let used = |role: Role, name: &Ident| {
            if self.role(role).next().is_some() { quote!(#name) } else { quote!(_) }
        };
        let (params_used, state_used, ctx_used) =
            (used(Role::Param, &params), used(Role::State, &state), used(Role::Context, &ctx));
        let is_async = self.function.sig.asyncness.is_some();
        let await_ = is_async.then(|| quote!(.await));
        // Where the return type is written, so that an error that `?` does not take is shown there.
        let span = self.returned().span();
        let worker_there = tokens::at(worker.clone(), span);
        let value = quote_spanned!(span=> #worker_there::TaskReturn::into_result(#call #await_)?);
        let result = quote! {
            let value = #value;
            ::core::result::Result::Ok(value)
        };
        let body = if is_async {
            quote! {
                let #state_used = &*self.0;
                #result
            }
        } else {
            quote! {
                let #state_used = ::std::sync::Arc::clone(&self.0);
                #worker::blocking(move || { #result }).await
            }
        };
        quote! {
            async fn run(
                &self,
                #params_used: #params_type,
                #ctx_used: #worker::TaskContext,
            ) -> ::core::result::Result<<#params_type as #core::TaskParams>::Output, #core::TaskError> {
                #body
            }
        }
    }
}
