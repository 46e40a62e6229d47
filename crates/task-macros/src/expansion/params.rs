use super::{assert_holds, compact, derived, sound, task};
use quote::quote;

#[test]
fn a_type_becomes_params_under_its_own_name() {
    let expanded = sound(derived(quote! {
        pub struct CountWords { text: String }
    }));
    let expected = quote! {
        #[automatically_derived]
        impl ::task_core::TaskParams for CountWords {
            const NAME: &'static str = "count_words";
            const ALIASES: &'static [&'static str] = &[];
            type Output = ();
            fn options() -> ::task_core::TaskOptions { ::task_core::TaskOptions::default() }
        }
    };
    assert_eq!(compact(&expanded), compact(&expected));
}

#[test]
fn options_of_several_attributes_go_into_one_implementation() {
    let expanded = sound(derived(quote! {
        #[serde(rename_all = "camelCase")]
        #[task(name = "extract", alias = "scan", output = Report, queue = "slow")]
        #[task(priority = 80, max_retries = 5, max_crashes = 0, backoff = "1s..2s", timeout = "30s", retention = "1d")]
        enum Extract { File(PathBuf), Text(String) }
    }));
    assert_holds(
        &expanded,
        quote!(
            const NAME: &'static str = "extract";
        ),
    );
    assert_holds(
        &expanded,
        quote!(
            const ALIASES: &'static [&'static str] = &["scan"];
        ),
    );
    assert_holds(
        &expanded,
        quote!(
            type Output = Report;
        ),
    );
    let options = quote! {
        ::task_core::TaskOptions::default().queue("slow").priority(80u8).max_retries(5u32).max_crashes(0u8)
            .backoff(::task_core::RetryPolicy::exponential(
                ::task_core::__private::Duration::from_millis(1000u64),
                ::task_core::__private::Duration::from_millis(2000u64)
            ))
            .timeout(::task_core::__private::Duration::from_millis(30000u64))
            .retention(::task_core::__private::Duration::from_millis(86400000u64))
    };
    assert_holds(&expanded, options);
}

#[test]
fn options_above_the_derive_are_handed_to_it() {
    for derive in [quote!(derive(Clone, TaskParams)), quote!(cfg_attr(all(), derive(task_core::TaskParams)))]
    {
        let expanded = sound(task(quote!(name = "a"), quote! { #[#derive] pub struct Extract { n: u32 } }));
        let expected = quote! { #[#derive] #[task(name = "a")] pub struct Extract { n: u32 } };
        assert_eq!(compact(&expanded), compact(&expected));
    }
}
