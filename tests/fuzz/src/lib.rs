//! Fuzzing within `cargo test`, on the stable compiler: files of a corpus are replayed, then mixed and damaged at random
//! from a seed.
//!
//! A target is given bytes, must not panic, and says in words what it saw: an input that makes it say something that it
//! has not said before joins the corpus of the run, so that the next ones begin deeper.
//!
//! ```no_run
//! task_fuzz::Fuzz::new("numbers").run(|input| match std::str::from_utf8(input).map(str::parse::<u8>) {
//!     Ok(Ok(_)) => "a number".into(),
//!     Ok(Err(error)) => error.to_string(),
//!     Err(_) => "no text".into(),
//! });
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `TASK_FUZZ_SECONDS` | so long for each target, in place of a number of executions |
//! | `TASK_FUZZ_SEED` | another run than the usual one; a failure says its seed |
//! | `TASK_FUZZ_SAVE` | `1` adds what was found to the corpus, to be checked in |

mod corpus;
mod mutate;

use std::{
    collections::HashSet,
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::{Duration, Instant},
};

use corpus::Corpus;
use mutate::Mutator;

/// No input grows longer.
const MAX_INPUT: usize = 4096;
/// No more are kept in a run.
const MOST_INPUTS: usize = 1000;

/// One target and its corpus.
pub struct Fuzz {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    executions: u64,
}

impl Fuzz {
    /// A target; its corpus is the folder of this name in `tests/fuzz/corpus`. 10,000 executions.
    pub fn new(name: &'static str) -> Self {
        Self { name, seeds: Vec::new(), executions: 10_000 }
    }

    /// To begin with, beside the corpus.
    pub fn seed(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.seeds.push(input.into());
        self
    }

    /// So many, of a target that takes its time.
    pub fn executions(mut self, executions: u64) -> Self {
        self.executions = executions;
        self
    }

    /// Runs it.
    ///
    /// # Panics
    /// If the target does: the input is then a file in its corpus, to be kept there once the target is mended.
    pub fn run(self, target: impl Fn(&[u8]) -> String) {
        let number = |name: &str| env::var(name).ok().and_then(|text| text.parse().ok());
        let seed = number("TASK_FUZZ_SEED").unwrap_or(1);
        let until = number("TASK_FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let corpus = Corpus::open(self.name);
        let save = env::var_os("TASK_FUZZ_SAVE").is_some();

        let (mut inputs, mut said) = (Vec::new(), HashSet::new());
        let mut execute = |input: &[u8]| match catch_unwind(AssertUnwindSafe(|| target(input))) {
            Ok(words) => said.insert(gist(&words)),
            Err(panic) => {
                let file = corpus.add(input);
                eprintln!("{}: seed {seed} broke it with {}", self.name, file.display());
                resume_unwind(panic)
            }
        };
        for input in corpus.files().into_iter().chain(self.seeds) {
            execute(&input);
            inputs.push(input);
        }
        assert!(!inputs.is_empty(), "the corpus of {} is empty", self.name);

        let mut mutator = Mutator::new(seed);
        let mut executions = inputs.len() as u64;
        while until.map_or(executions < self.executions, |until| Instant::now() < until) {
            let input = mutator.next(&inputs, MAX_INPUT);
            executions += 1;
            if execute(&input) && inputs.len() < MOST_INPUTS {
                if save {
                    corpus.add(&input);
                }
                inputs.push(input);
            }
        }
        eprintln!("{}: seed {seed}, {executions} executions, {} inputs", self.name, inputs.len());
    }
}

/// What was said, without what it was said of: the words outside quotes, but for numbers and names.
fn gist(words: &str) -> String {
    let plain =
        words.split(['`', '"']).step_by(2).flat_map(|part| part.split(|c: char| !c.is_ascii_lowercase()));
    plain.filter(|word| word.len() > 2).take(12).collect::<Vec<_>>().join(" ")
}
