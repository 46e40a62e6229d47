//! One worker that runs the tasks of a tasks file: see `--help`.

fn main() -> std::process::ExitCode {
    task_orchestrator::worker_main()
}
