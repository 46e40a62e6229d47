//! Each Rust block of README.md and docs/ is a doctest here: it must compile, and run where it can.

#[cfg(doctest)]
macro_rules! pages {
    ($($name:ident: $path:literal;)*) => {$(
        #[doc = include_str!($path)]
        pub mod $name {}
    )*};
}

#[cfg(doctest)]
pages! {
    readme: "../../../README.md";
    task: "../../../docs/task.md";
    worker: "../../../docs/worker.md";
    queue: "../../../docs/queue.md";
}
