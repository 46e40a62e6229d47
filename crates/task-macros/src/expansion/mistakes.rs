use super::{assert_holds, compact, derived, messages, mistake, task};
use quote::quote;

#[test]
fn a_mistake_in_an_option_leaves_the_implementation_there() {
    let expanded = derived(quote! { #[task(timeout = "30 sec", output = u64)] struct Ping {} });
    assert_holds(&expanded, quote!(impl ::task_core::TaskParams for Ping));
    assert_holds(
        &expanded,
        quote!(
            type Output = u64;
        ),
    );
    assert!(mistake(expanded).starts_with("`30 sec` is not a duration"));
}

#[test]
fn params_that_can_t_be_any_are_told_why() {
    let cases = [
        (quote! { struct Extract<'a> { text: &'a str } }, "no lifetimes (`String`, not `&str`)"),
        (quote! { struct Extract<T> { item: T } }, "no generic parameters"),
        (quote! { union Bits { a: u32, b: f32 } }, "can't be serialized"),
        (quote! { struct Größe {} }, "`größe` is not a task's name"),
        (quote! { #[task = "x"] struct Ping {} }, "write #[task(name = \"…\")]"),
        (quote! { #[task(alias = "ping")] struct Ping {} }, "`ping` is the task's name already"),
        (quote! { #[task(name = "a")] #[task(name = "b")] struct Ping {} }, "`name` is given twice"),
    ];
    for (input, part) in cases {
        let message = mistake(derived(input));
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_function_of_the_wrong_form_is_told_what_to_change() {
    let cases = [
        (
            quote! { async fn ping(name: &str) {} },
            "`name` borrows, and params travel through a queue, so they own their \
            data: `String`, not `&str`",
        ),
        (quote! { async fn ping(names: Vec<&str>) {} }, "`names` borrows"),
        (quote! { async fn ping(data: &mut Vec<u8>) {} }, "`data` borrows"),
        (quote! { async fn ping(#[state] n: &mut u64) {} }, "so it can't be `&mut`"),
        (quote! { async fn ping((a, b): (u32, u32)) {} }, "is a plain name"),
        (quote! { async fn ping(_: u32) {} }, "write `name: Type`"),
        (quote! { async fn ping(&self, n: u32) {} }, "this is a method: implement `Task`"),
        (quote! { async fn ping<T>(n: T) {} }, "no generic parameters"),
        (quote! { async fn ping<'a>(#[state] db: &'a Pool) {} }, "no lifetimes"),
        (quote! { async fn ping(n: impl Into<u32>) {} }, "`impl Trait` has not"),
        (quote! { async fn ping() -> TaskResult<impl Serialize> {} }, "`impl Trait` has not"),
        (quote! { async fn ping(#[state] db: &Pool) -> TaskResult<&str> {} }, "it owns its data"),
        (quote! { async fn ping() -> Report {} }, "can't return `Report`: write `TaskResult<Report>`"),
        (quote! { async fn ping() -> Vec<u8> {} }, "can't return `Vec<u8>`: write `TaskResult<Vec<u8>>`"),
        (quote! { async fn ping() -> (u32, u32) {} }, "can't return `(u32,u32)`"),
        (quote! { unsafe fn ping() {} }, "is safe to call"),
        (quote! { extern "C" fn ping() {} }, "a plain Rust function"),
        (quote! { async fn ping(a: TaskContext, b: TaskContext) {} }, "`b` is a second"),
        (quote! { async fn ping(#[state] ctx: TaskContext) {} }, "remove #[state]"),
        (quote! { async fn ping(#[state(shared)] db: Pool) {} }, "#[state] has no options"),
        (quote! { async fn ping(#[serde(default)] #[state] db: Pool) {} }, "state does not travel"),
        (quote! { async fn ping(#[cfg(unix)] n: u32) {} }, "put it on the function"),
        (quote! { async fn string(text: String) {} }, "hides the standard one"),
        (quote! { async fn __(text: String) {} }, "give the function another name"),
        (quote! { #[task] async fn ping() {} }, "#[task] stands here twice"),
        (quote! { struct Ping {} }, "sets options of `#[derive(TaskParams)]`"),
        (quote! { impl Ping { fn ping() {} } }, "goes on a function"),
        (quote! { const PING: u32 = 1; }, "goes on a function"),
        (quote! { mod ping {} }, "goes on a function"),
    ];
    for (item, part) in cases {
        let shown = item.to_string();
        let message = mistake(task(quote!(), item));
        assert!(message.contains(part), "{shown}\n{message}");
    }
    let message = mistake(task(quote!(output = u32), quote! { async fn ping() -> TaskResult<u32> {} }));
    assert_eq!(message, "the output of a #[task] function is its return type: remove `output`");
}

#[test]
fn a_method_of_a_trait_without_a_body_is_no_task() {
    let message = messages(task(quote!(), quote! { fn ping(&self); }));
    assert_eq!(message.len(), 1);
    assert!(message[0].contains("a function with a body"), "{message:?}");
}

#[test]
fn the_function_survives_a_mistake_without_our_attributes() {
    let expanded = task(quote!(), quote! { async fn ping((a, b): (u32, u32), #[state] db: &Pool) { body } });
    assert_holds(
        &expanded,
        quote!(
            async fn ping((a, b): (u32, u32), db: &Pool) {
                body
            }
        ),
    );
}

#[test]
fn a_borrowed_param_leaves_the_task_there() {
    let expanded = task(quote!(), quote! { async fn ping(name: &str, data: &[u8]) {} });
    assert_holds(&expanded, quote!(ping(&params.name, &params.data)));
    assert_eq!(messages(expanded).len(), 2);
}

#[test]
fn an_argument_named_twice_is_left_to_rustc() {
    let expanded = task(quote!(), quote! { async fn ping(n: u32, n: u32) {} });
    assert_eq!(compact(&expanded), compact(&quote! { async fn ping(n: u32, n: u32) {} }));
}
