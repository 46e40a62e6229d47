use super::{assert_holds, messages, sound, task};
use crate::{derive, item};
use quote::quote;

#[test]
fn a_given_crate_is_used_and_none_is_looked_for() {
    let input = quote! { #[task(crate = "app::tasks")] struct Ping; };
    let expanded = derive::expand(&syn::parse2(input).unwrap(), || panic!("it was given"));
    assert_holds(&sound(expanded), quote!(impl app::tasks::TaskParams for Ping));

    let expanded = item::expand(
        quote!(crate = "app::worker"),
        quote!(
            async fn ping() {}
        ),
        || panic!("it was given"),
    );
    assert_holds(&expanded, quote!(app::worker::core::__private::serde::Serialize));
    assert_holds(&expanded, quote!(#[serde(crate = "app::worker::core::__private::serde")]));
}

#[test]
fn an_async_function_becomes_params_and_a_task_and_stays() {
    let expanded = sound(task(
        quote!(max_retries = 1),
        quote! {
            /// Makes an image smaller.
            #[inline]
            pub(crate) async fn resize(
                source: String,
                /// In pixels.
                #[serde(default = "full")] mut width: u32,
                #[state] db: &Pool,
                #[state] rate: f64,
                ctx: &TaskContext,
            ) -> anyhow::Result<u64> { body }
        },
    ));
    assert_holds(
        &expanded,
        quote! {
            /// Makes an image smaller.
            #[inline]
            pub(crate) async fn resize(source: String, mut width: u32, db: &Pool, rate: f64, ctx: &TaskContext,)
                -> anyhow::Result<u64> { body }
        },
    );
    assert_holds(
        &expanded,
        quote! {
            #[derive(::task_worker::core::__private::serde::Serialize, ::task_worker::core::__private::serde::Deserialize)]
            #[serde(crate = "::task_worker::core::__private::serde")]
            #[doc = r" Makes an image smaller."]
            #[doc = ""]
            #[doc = "The params of the task [`resize`], which [`Self::task`] makes."]
            pub(crate) struct Resize {
                #[doc = "The argument `source` of [`resize`]."]
                pub(crate) source: String,
                /// In pixels.
                #[serde(default = "full")]
                pub(crate) width: u32
            }
        },
    );
    assert_holds(
        &expanded,
        quote!(
            const NAME: &'static str = "resize";
        ),
    );
    assert_holds(
        &expanded,
        quote!(
            type Output = <anyhow::Result<u64> as ::task_worker::TaskReturn>::Value;
        ),
    );
    assert_holds(&expanded, quote!(::task_worker::core::TaskOptions::default().max_retries(1u32)));
    assert_holds(
        &expanded,
        quote!(pub(crate) fn task(db: Pool, rate: f64) -> impl ::task_worker::Task<Params = Resize>),
    );
    let call = quote! {
        resize(params.source, params.width, &state.db, ::core::clone::Clone::clone(&state.rate), &ctx).await
    };
    assert_holds(&expanded, call);
}

#[test]
fn a_function_that_is_not_async_runs_on_the_blocking_pool() {
    let expanded = sound(task(quote!(), quote! { fn checksum(path: PathBuf) -> TaskResult<u64> { body } }));
    let call = quote! {
        ::task_worker::blocking(move || {
            let value = ::task_worker::TaskReturn::into_result(checksum(params.path))?;
            ::core::result::Result::Ok(value)
        })
        .await
    };
    assert_holds(&expanded, call);
    assert_holds(
        &expanded,
        quote!(
            const BLOCKING: bool = true;
        ),
    );
}

#[test]
fn a_function_without_arguments_or_output_becomes_a_struct_with_braces() {
    let expanded = sound(task(quote!(), quote! { async fn r#loop() {} }));
    assert_holds(
        &expanded,
        quote!(
            struct Loop {}
        ),
    );
    assert_holds(
        &expanded,
        quote!(
            const NAME: &'static str = "loop";
        ),
    );
    assert_holds(
        &expanded,
        quote!(
            type Output = <() as ::task_worker::TaskReturn>::Value;
        ),
    );
    assert_holds(&expanded, quote!(fn task() -> impl ::task_worker::Task<Params = Loop>));
}

#[test]
fn state_behind_a_reference_is_kept_by_its_owner() {
    let expanded = sound(task(
        quote!(),
        quote! {
            async fn greet(#[state] word: &str, #[state] names: &[String], #[state] site: &'static Site, #[state] n: u8) {}
        },
    ));
    let constructor = quote! {
        fn task(word: ::std::string::String, names: ::std::vec::Vec<String>, site: &'static Site, n: u8)
    };
    assert_holds(&expanded, constructor);
    let call = quote! {
        greet(&state.word, &state.names, ::core::clone::Clone::clone(&state.site), ::core::clone::Clone::clone(&state.n))
    };
    assert_holds(&expanded, call);
}

#[test]
fn attributes_go_where_they_hold() {
    let expanded = sound(task(
        quote!(),
        quote! {
            #[cfg(unix)]
            #[derive(Clone)]
            #[serde(rename_all = "camelCase")]
            #[cfg_attr(feature = "debug", derive(Debug))]
            #[deprecated]
            #[tracing::instrument]
            async fn ping(#[allow(unused)] n: u32) {}
        },
    ));
    let function =
        quote! { #[cfg(unix)] #[deprecated] #[tracing::instrument] async fn ping(#[allow(unused)] n: u32) };
    assert_holds(&expanded, function);
    let own = quote! {
        #[serde(crate = "::task_worker::core::__private::serde")]
        #[derive(Clone)] #[serde(rename_all = "camelCase")] #[cfg_attr(feature = "debug", derive(Debug))] #[deprecated]
    };
    assert_holds(&expanded, own);
    assert_holds(&expanded, quote!(#[cfg(unix)] #[allow(deprecated)] #[automatically_derived] impl));
    assert_holds(&expanded, quote!(#[cfg(unix)] #[allow(deprecated)] impl Ping));
    let serde = quote!(::task_worker::core::__private::serde);
    assert_holds(
        &expanded,
        quote!(#[cfg(unix)] #[allow(deprecated)] #[derive(#serde::Serialize, #serde::Deserialize)]),
    );
}

#[test]
fn a_body_that_syn_can_t_read_does_not_matter() {
    let expanded = task(quote!(), quote! { async fn ping(n: u32) { db. } });
    assert_holds(&expanded, quote!(async fn ping(n: u32) { db. }));
    assert_holds(&expanded, quote!(struct Ping));
    assert_eq!(messages(expanded), Vec::<String>::new());
}
