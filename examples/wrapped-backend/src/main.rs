//! A backend that wraps another one, [`Audited`], in an orchestrator with all its flags; from the folder of the repository:
//!
//! ```sh
//! cargo run -p example-wrapped-backend -- -q audited:memory: --input examples/wrapped-backend/jobs.jsonl --drain
//! ```

mod audited;

use std::process::ExitCode;

use audited::Audited;
use task_orchestrator::App;
use task_worker::prelude::*;

#[task]
async fn shout(words: String) -> TaskResult<String> {
    Ok(words.to_uppercase())
}

fn main() -> ExitCode {
    App::new().backend::<Audited>().run(async || TaskRegistry::new().register(Shout::task()))
}
