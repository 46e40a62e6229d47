//! The command line of the task framework: enqueue, look, explain, mend.
//!
//! A command goes one way: what was typed ([`cli`]) becomes a plain [`command`], which [`call()`] carries out on a
//! queue; its [`answer`]s are rendered by a pure function ([`render()`]) and mapped to the exit code in one place
//! ([`exit`]). What is wrong with a command by itself is found before anything is opened.

mod answer;
mod call;
mod cli;
mod command;
mod connect;
mod exit;
mod export;
mod import;
mod render;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use task_core::Timestamp;

use crate::{
    answer::Answer,
    call::{Trouble, call},
    cli::Verb,
    command::Order,
    connect::connect,
    exit::Exit,
    render::{View, render, terminal_width},
};

fn main() -> ExitCode {
    // ends with 2 on a wrong flag, with 0 after the help
    let args = cli::parse(std::env::args_os()).unwrap_or_else(|stop| stop.exit());
    start_log();
    let exit = match args.verb {
        Verb::Completions { shell } => {
            // whoever closes the pipe has seen enough
            io::stdout().write_all(&cli::completions(shell)).ok();
            Exit::Done
        }
        Verb::Man { folder } => match cli::write_manual(&folder) {
            Ok(()) => Exit::Done,
            Err(error) => fail(&format!("can't write to {}: {error}", folder.display()), Exit::Usage),
        },
        Verb::OnQueue(verb) => match Order::resolve(args.everywhere, verb, |name| std::env::var(name).ok()) {
            Ok(order) => run(order),
            Err(mistake) => fail(&mistake, Exit::Usage),
        },
    };
    exit.into()
}

fn run(order: Order) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("can't start the runtime: {error}"), Exit::NoQueue),
    };
    let mut exit = Exit::Done;
    let json = order.json;
    let done = runtime.block_on(async {
        let queue = connect(&order.url, order.connect_timeout).await?;
        call(&queue, &order.queue, order.command, &mut |answer| {
            exit = exit.or(Exit::of(&answer));
            print(&answer, json)
        })
        .await
    });
    match done {
        Ok(()) => exit,
        // whoever read the output has seen enough
        Err(Trouble::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => exit,
        Err(trouble) => fail(&trouble, exit.or(trouble.exit())),
    }
}

fn print(answer: &Answer, json: bool) -> io::Result<()> {
    let terminal = io::stdout().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let printed = render(answer, &View { json, width: terminal_width(), colours, now: Timestamp::now() });
    io::stderr().lock().write_all(printed.err.as_bytes())?;
    let mut out = io::stdout().lock();
    out.write_all(printed.out.as_bytes())?;
    out.flush()
}

fn fail(error: &dyn std::fmt::Display, exit: Exit) -> Exit {
    eprintln!("error: {}", render::plain(&error.to_string()));
    exit
}

/// Warnings, or what LOG_LEVEL says, on stderr.
fn start_log() {
    let level = std::env::var("LOG_LEVEL").ok().and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_max_level(level.unwrap_or(tracing::Level::WARN))
        .without_time()
        .init();
}
