use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use clap::Parser as _;
use task_queue_memory::MemoryQueue;
use task_queue_redis::RedisQueue;

use tracing::level_filters::LevelFilter;

use super::*;
use crate::cli::WorkerArgs;

/// A folder with a tasks file, a program, a script, a file that is not executable, and an input.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for name in ["tasks.toml", "other.toml", "notes.txt", "jobs.jsonl"] {
        file(name, 0o644);
    }
    file("myworker", 0o755);
    file("script.py", 0o644);
    folder
}

fn resolve_in(folder: &Path, line: &str, env: &[(&str, &str)]) -> Result<Settings, String> {
    let backends = Backends::new().with::<MemoryQueue>().with::<RedisQueue>();
    let env = |name: &str| {
        let inherited = (name == "PATH").then(|| std::env::var("PATH").unwrap());
        env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()).or(inherited)
    };
    let around = Surroundings { env: &env, folder: folder.to_owned(), backends: &backends, own_tasks: false };
    let words = ["task-orchestrator"].into_iter().chain(line.split_whitespace());
    Settings::resolve(OrchestratorArgs::parse_from(words), &around).map_err(|mistake| mistake.to_string())
}

fn resolve(line: &str, env: &[(&str, &str)]) -> Result<Settings, String> {
    resolve_in(folder().path(), line, env)
}

#[test]
fn each_mistake_is_answered_with_what_it_was_its_value_and_the_remedy() {
    for (line, said, remedy) in [
        ("-n 0 -q localhost:6379", "--workers 0", "-n 4"),
        ("-n 100000 -q localhost:6379", "--workers 100000", "1 to"),
        ("-c 0 -q localhost:6379", "--concurrency 0", "leave the flag out"),
        ("", "`memory:`", "--input FILE"),
        ("-q memory: ./myworker --input jobs.jsonl", "`./myworker`", "-q localhost:6379"),
        ("-q memory: ./myworker --input jobs.jsonl", "`./myworker`", "command = [\"./myworker\"]"),
        (
            "-q memory: ./script.py --input jobs.jsonl",
            "`./script.py`",
            "command = [\"python3\", \"./script.py\"]",
        ),
        ("-q amqp://u:pw@host", "`amqp://u:***@host`", "redis://"),
        ("-q localhost", "`localhost`", "`localhost:6379`"),
        ("-q reports", "`reports`", "--queue-name reports"),
        ("-q localhost:6379 --queue-name two+words", "`two+words`", "A-Z a-z 0-9"),
        ("-q localhost:6379 --queue-name mail=0", "mail=0", "1 to 1000"),
        ("-q localhost:6379 --queue-name a --queue-name a=2", "a is given twice", "one weight"),
        ("-q localhost:6379 --timeout soon", "`soon`", "\"30s\""),
        ("-q localhost:6379 --grace -", "--grace", "\"30s\""),
        ("-q localhost:6379 ./absent", "./absent", "give its path"),
        ("-q localhost:6379 ./notes.txt", "./notes.txt", "chmod +x"),
        ("-q localhost:6379 absent.toml", "absent.toml", "give its path"),
        ("-q localhost:6379 absent.py", "absent.py", "no script"),
        ("-q localhost:6379 tasks.toml -- --fast", "--fast", "program of your own"),
        ("--input absent.jsonl", "absent.jsonl", "- for stdin"),
        ("-q localhost:6379 -r 0", "--max-restarts 0", "1 parks"),
        ("-q localhost:6379 --timeout 0", "--timeout 0: too short", "at least 1s"),
        ("-q localhost:6379 --ready-timeout 0s", "--ready-timeout 0s", "at least 1ms"),
        ("-q localhost:6379 --connect-timeout 0", "--connect-timeout 0", "at least 1ms"),
        ("--input .", "--input .: this is a folder", "- for stdin"),
        ("-q localhost:6379 --monitoring-host here", "here", "127.0.0.1"),
        ("-q localhost:6379 --log-level loud", "loud", "warning"),
        ("-q localhost:6379 --log-format xml", "xml", "json"),
    ] {
        let error = resolve(line, &[]).expect_err(line);
        assert!(error.contains(said) && error.contains(remedy), "{line}: {error}");
        assert!(!error.contains("pw@"), "{error}");
    }
}

#[test]
fn a_wrong_variable_is_named_as_one() {
    for (name, value, said) in [
        ("TASK_CONCURRENCY", "many", "TASK_CONCURRENCY=many: "),
        ("TASK_CONCURRENCY", "0", "TASK_CONCURRENCY unset"),
        ("TASK_MAX_RETRIES", "-1", "TASK_MAX_RETRIES=-1: "),
        ("TASK_GRACE", "soon", "TASK_GRACE: `soon`"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL loud: "),
        ("LOG_FORMAT", "xml", "LOG_FORMAT xml: "),
    ] {
        let error = resolve("-q localhost:6379", &[(name, value)]).expect_err(name);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn what_a_worker_is_told_comes_from_flags_over_the_environment_over_nothing() {
    let env =
        [("TASK_CONCURRENCY", "7"), ("TASK_MAX_RETRIES", "2"), ("TASK_GRACE", "1m"), ("LOG_FORMAT", "json")];
    let told = |line: &str, env: &[(&str, &str)]| {
        let settings = resolve(line, env).unwrap();
        let WorkerSettings { concurrency, max_retries, grace, .. } = settings.worker;
        (concurrency, max_retries, grace.as_secs(), settings.logs.json)
    };
    assert_eq!(told("-q localhost:6379", &env), (Some(7), Some(2), 60, true));
    let flags = "-q localhost:6379 -c 9 --max-retries 0 --grace 2 --log-format text";
    assert_eq!(told(flags, &env), (Some(9), Some(0), 2, false));
    assert_eq!(told("-q localhost:6379", &[]), (None, None, 25, false));
}

#[test]
fn a_queue_that_a_script_left_empty_is_not_taken_for_the_embedded_one() {
    let folder = folder();
    let backends = Backends::new().with::<MemoryQueue>();
    let around =
        Surroundings { env: &|_| None, folder: folder.path().into(), backends: &backends, own_tasks: false };
    let args = OrchestratorArgs::parse_from(["x", "--input", "jobs.jsonl", "-q", ""]);
    let error = Settings::resolve(args, &around).unwrap_err().to_string();
    assert!(error.starts_with("--queue is empty"), "{error}");
}

#[test]
fn a_folder_without_anything_to_run_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let error = resolve_in(empty.path(), "-q localhost:6379", &[]).unwrap_err();
    assert!(error.contains("no tasks.toml in") && error.contains("name a program"), "{error}");
}

#[test]
fn what_a_worker_is_told_follows_from_its_ending() {
    let folder = folder();
    let program = |line: &str| resolve_in(folder.path(), line, &[]).unwrap().program;
    let built_in = |file: &str| Program::BuiltIn { tasks: Some(folder.path().join(file)) };
    assert_eq!(program("-q localhost:6379"), built_in("tasks.toml"));
    assert_eq!(program("-q localhost:6379 other.toml"), built_in("other.toml"));
    let Program::Other { path, args, .. } = program("-q localhost:6379 myworker -- -v") else { panic!() };
    assert_eq!((path, args), (folder.path().join("myworker"), vec!["-v".into()]));
    let Program::Other { path, args, .. } = program("-q localhost:6379 script.py -- -v") else { panic!() };
    assert!(path.ends_with("python3"), "{path:?}");
    assert_eq!(args, [folder.path().join("script.py").into_os_string(), "-v".into()]);
}

#[test]
fn the_flag_wins_over_the_environment_and_the_more_exact_name_over_the_less() {
    let all = [
        ("TASK_QUEUE", "redis://task-queue"),
        ("REDIS_URL", "redis://redis-url"),
        ("REDIS_HOST", "redis-host"),
        ("REDIS_PORT", "7000"),
    ];
    let url = |line, env: &[(&str, &str)]| resolve(line, env).unwrap().url;
    assert_eq!(url("-q localhost:6379", &all), "localhost:6379");
    assert_eq!(url("", &all), "redis://task-queue");
    assert_eq!(url("", &all[1..]), "redis://redis-url");
    assert_eq!(url("", &all[2..]), "redis://redis-host:7000");
    assert_eq!(url("--input jobs.jsonl", &[("TASK_QUEUE", "")]), "memory:");
}

#[test]
fn queues_have_weights_and_times_are_seconds_where_nothing_else_is_said() {
    let settings =
        resolve("-q localhost:6379 --queue-name tasks=3 --queue-name mail --timeout 7 --grace 500ms", &[]);
    let settings = settings.unwrap();
    let shown: Vec<_> =
        settings.worker.queues.iter().map(|(name, weight)| format!("{name}={weight}")).collect();
    assert_eq!(shown, ["tasks=3", "mail=1"]);
    assert_eq!(
        (settings.timeout, settings.worker.grace),
        (Duration::from_secs(7), Duration::from_millis(500))
    );
    let settings = resolve("-q localhost:6379", &[("QUEUE_NAME", "a=2,b")]).unwrap();
    assert_eq!(settings.worker.queues.len(), 2);
}

#[test]
fn a_lone_worker_on_the_embedded_queue_is_told_what_to_give() {
    let backends = Backends::new().with::<MemoryQueue>().with::<RedisQueue>();
    let folder = folder();
    let around = Surroundings {
        env: &|_| None,
        folder: folder.path().to_owned(),
        backends: &backends,
        own_tasks: false,
    };
    for line in [&["task-worker"][..], &["task-worker", "-q", "memory:"]] {
        let error = LoneWorker::resolve(WorkerArgs::parse_from(line), &around).unwrap_err().to_string();
        assert!(error.contains("-q localhost:6379"), "{error}");
    }
    let line = ["task-worker", "--redis-url", "redis://h", "--log-level", "WARNING", "--max-retries", "5"];
    let lone = LoneWorker::resolve(WorkerArgs::parse_from(line), &around).unwrap();
    assert_eq!((lone.logs.level, lone.worker.max_retries), (LevelFilter::WARN, Some(5)));
    assert_eq!((lone.label.as_str(), lone.tasks), ("worker_1", folder.path().join("tasks.toml")));
}
