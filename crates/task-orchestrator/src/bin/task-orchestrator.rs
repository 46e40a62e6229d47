//! Keeps N workers alive, or runs one batch of tasks: see `--help`.

fn main() -> std::process::ExitCode {
    task_orchestrator::orchestrator_main()
}
