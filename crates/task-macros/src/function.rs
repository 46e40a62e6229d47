//! `#[task]` on a function: the function as it was, the params, and the task that calls it with them.

mod argument;
mod attributes;
mod form;

use crate::case;
use crate::errors::Errors;
use crate::item::Function;
use crate::options::Options;
use crate::params;
use crate::tokens;
use argument::{Argument, Role};
use attributes::Attributes;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, Result, ReturnType, Type};

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
    let sound = form::check(&function, options, errors);
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

fn params_name(function: &Ident, errors: &mut Errors) -> Option<Ident> {
    let name = case::pascal(&function.unraw().to_string());
    if PRELUDE.contains(&name.as_str()) {
        let message = format!(
            "the params of `{function}` would be a struct `{name}`, which hides the standard one: give the function \
             another name"
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
        let blocking = self.function.sig.asyncness.is_none().then(|| {
            quote!(
                const BLOCKING: bool = true;
            )
        });
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
                        #blocking
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
