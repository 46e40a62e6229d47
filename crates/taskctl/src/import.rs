//! Tasks out of JSON lines.

use std::{
    io::{self, BufRead},
    thread,
};

use task_core::{
    Enqueued, Name, QueueError, TaskMessage, TaskQueue,
    jsonl::{InvalidLine, Lines},
};
use tokio::sync::mpsc;

use crate::{
    answer::{Answer, Imported, Refusal},
    call::{Tell, Trouble},
};

/// So many lines are read ahead, and travel together. Their params may have a megabyte each.
const AHEAD: usize = 128;

type Line = io::Result<(u64, Result<TaskMessage, InvalidLine>)>;

/// Enqueues what the lines say. A bad line, or one that is refused, is told with its number, and the rest goes on; it
/// ends early only if the queue or the input can't be used any more.
pub(crate) async fn import(
    queue: &TaskQueue,
    name: &Name,
    lines: Box<dyn BufRead + Send>,
    tell: &mut Tell<'_>,
) -> Result<(), Trouble> {
    let mut done = Imported::default();
    let ended = all(queue, read_ahead(lines, name.clone()), &mut done, tell).await;
    tell(Answer::Imported(done))?;
    ended
}

/// Reading blocks, so it has a thread of its own; whoever ends the program does not wait for it.
fn read_ahead(lines: Box<dyn BufRead + Send>, name: Name) -> mpsc::Receiver<Line> {
    let (send, read) = mpsc::channel(AHEAD);
    thread::spawn(move || {
        for line in Lines::new(lines, name) {
            let is_over = line.is_err();
            if send.blocking_send(line).is_err() || is_over {
                break;
            }
        }
    });
    read
}

async fn all(
    queue: &TaskQueue,
    mut lines: mpsc::Receiver<Line>,
    done: &mut Imported,
    tell: &mut Tell<'_>,
) -> Result<(), Trouble> {
    let mut read = Vec::new();
    while lines.recv_many(&mut read, AHEAD).await > 0 {
        let (mut numbers, mut messages, mut broken) = (Vec::new(), Vec::new(), None);
        for line in read.drain(..) {
            match line {
                Ok((number, Ok(message))) => {
                    numbers.push(number);
                    messages.push(message);
                }
                Ok((number, Err(error))) => {
                    done.bad_lines += 1;
                    tell(refused(number, error.to_string(), true))?;
                }
                Err(error) => broken = Some(error),
            }
        }
        let mut full = Vec::new();
        for (number, answer) in numbers.into_iter().zip(queue.enqueue_messages(messages).await?) {
            match answer {
                Ok(Enqueued::Full) => full.push(number),
                Ok(Enqueued::Queued) => done.enqueued += 1,
                Ok(Enqueued::Exists { same: true, .. }) => done.already_there += 1,
                Ok(answer) => {
                    done.refused += 1;
                    tell(refused(number, why(&answer), false))?;
                }
                Err(error @ QueueError::Invalid(_)) => {
                    done.bad_lines += 1;
                    tell(refused(number, error.to_string(), true))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        for lines in full.chunk_by(|one, next| one + 1 == *next) {
            done.refused += lines.len() as u64;
            tell(no_room(lines))?;
        }
        if let Some(error) = broken {
            return Err(Trouble::Input(error));
        }
    }
    Ok(())
}

fn refused(number: u64, why: String, wrong_input: bool) -> Answer {
    Answer::Refused(Refusal { what: format!("line {number}"), why, wrong_input })
}

/// Of lines that follow each other, since where one has no room mostly the next has none.
fn no_room(lines: &[u64]) -> Answer {
    let what = match lines {
        [line] => format!("line {line}"),
        _ => format!("lines {}-{}", lines[0], lines[lines.len() - 1]),
    };
    let why = "the queue is full; import these again when it has drained".into();
    Answer::Refused(Refusal { what, why, wrong_input: false })
}

fn why(answer: &Enqueued) -> String {
    match answer {
        Enqueued::Exists { status, .. } => format!(
            "a task of this id with other params is there and is {status}; give this one another id, or delete that one"
        ),
        Enqueued::DuplicateOf(owner) => format!("task {owner} is live and holds its unique key"),
        other => format!("the queue answered {other:?}"),
    }
}
