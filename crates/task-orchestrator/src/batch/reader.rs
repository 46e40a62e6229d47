use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    thread,
};

use task_core::{Name, TaskMessage, jsonl::Lines};
use tokio::sync::mpsc;

use crate::settings::Input;

/// A line of the input.
#[derive(Debug)]
pub(super) enum Line {
    Task(u64, Box<TaskMessage>),
    /// It is no task; the rest goes on.
    Bad(u64, String),
    /// There is no rest.
    Broken(String),
}

/// So many lines are read ahead.
const AHEAD: usize = 64;

/// Reads on a thread of its own, which no runtime waits for: a read of a terminal or a pipe can't be called off.
pub(super) fn start(input: Input, queue: Name) -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    thread::spawn(move || {
        let opened: io::Result<Box<dyn BufRead>> = match input {
            Input::Stdin => Ok(Box::new(io::stdin().lock())),
            Input::File(path) => File::open(path).map(|file| Box::new(BufReader::new(file)) as _),
        };
        let lines = match opened {
            Ok(reader) => Lines::new(reader, queue),
            Err(error) => return drop(sender.blocking_send(Line::Broken(error.to_string()))),
        };
        for line in lines {
            let (line, last) = match line {
                Ok((number, Ok(message))) => (Line::Task(number, Box::new(message)), false),
                Ok((number, Err(wrong))) => (Line::Bad(number, wrong.to_string()), false),
                Err(error) => (Line::Broken(error.to_string()), true),
            };
            if sender.blocking_send(line).is_err() || last {
                return;
            }
        }
    });
    receiver
}
