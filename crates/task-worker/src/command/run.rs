//! One attempt of a command task: from params to a result.

use std::{
    env, io,
    os::unix::process::ExitStatusExt as _,
    process::{Command, Stdio},
    sync::Arc,
};

use bytes::Bytes;
use serde_json::Value;
use task_core::{FailureKind, Shown, TaskError, TaskResult};

use super::{
    output::{MAX_OUTPUT, too_much},
    process::{Ended, Running},
    spawn::spawn,
    spec::Spec,
    template::fill,
};
use crate::{TaskContext, blocking};

/// Of the worker's environment, what each command gets.
const PASSED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// Runs a command with these params.
pub(super) async fn attempt(spec: Arc<Spec>, params: Bytes, ctx: TaskContext) -> TaskResult<Bytes> {
    let params = serde_json::to_value(Shown(&params)).map_err(|error| {
        TaskError::retry(format!("the params can't be read: {error}")).stored_as(FailureKind::Params)
    })?;
    let command = prepare(&spec, &params, &ctx)?;
    let stdin = params.to_string().into_bytes();
    blocking(move || {
        let child = spawn(command).map_err(|error| cannot_start(&spec, &error))?;
        let ended = Running::new(child, stdin, spec.settings.kill_after)
            .and_then(|running| {
                running.finish(|| ctx.is_cancelled(), |fraction, note| ctx.progress(fraction, note))
            })
            .map_err(|error| TaskError::retry(format!("the command can't be looked after: {error}")))?;
        result(&spec, ended)
    })
    .await
}

fn prepare(spec: &Spec, params: &Value, ctx: &TaskContext) -> TaskResult<Command> {
    let settings = &spec.settings;
    let mut command = Command::new(&spec.program);
    command.args(fill(&spec.arguments, params, settings.allow_dash)?);
    command.current_dir(&settings.cwd).env_clear();
    let passed = PASSED.into_iter().chain(settings.pass_env.iter().map(String::as_str));
    command.envs(passed.filter_map(|name| Some((name, env::var_os(name)?))));
    command.envs(&settings.env);
    // by which the orchestrator finds what it leaves behind; under another name than a worker reads, which it may start
    command.envs(env::var_os("WORKER_INCARNATION").map(|start| ("TASK_INCARNATION", start)));
    command.env("TASK_ID", ctx.id().to_string()).env("TASK_ATTEMPT", ctx.attempt().to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

fn cannot_start(spec: &Spec, error: &io::Error) -> TaskError {
    let program = spec.program.display().to_string();
    TaskError::retry(format!("`{}` can't be started: {error}", program.escape_debug()))
}

/// What the command's end means.
fn result(spec: &Spec, ended: Ended) -> TaskResult<Bytes> {
    let settings = &spec.settings;
    if ended.told_to_stop {
        return Err(TaskError::cancelled()); // also if it exits with 0: finished work can't be told from a graceful stop
    }
    if ended.stdout.len() > MAX_OUTPUT {
        return Err(too_much());
    }
    let tail = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
    let Some(code) = ended.status.code() else {
        let signal = ended.status.signal().unwrap_or_default();
        return Err(TaskError::retry(with(format!("ended by signal {signal}"), &tail)));
    };
    match code {
        0 => settings.output.result(&ended.stdout),
        code if settings.skip_codes.contains(&code) => {
            Err(TaskError::skip(with(format!("exit code {code}"), &tail)))
        }
        code if settings.fatal_codes.contains(&code) => {
            Err(TaskError::fatal(with(format!("exit code {code}"), &tail)))
        }
        code => Err(TaskError::retry(with(format!("exit code {code}"), &tail))),
    }
}

fn with(what: String, tail: &str) -> String {
    if tail.is_empty() { what } else { format!("{what}: {tail}") }
}
