use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use task_testkit::RedisServer;
use task_tests::{Folder, Ran, eventually};

use crate::{WORKER, folder};

const TASKS: &str = "[tasks.say]\ncommand = [\"echo\", \"a\"]\n";

fn with_tasks() -> Folder {
    folder().file("tasks.toml", TASKS).file("jobs.jsonl", "").program("myworker", "#!/bin/sh\n")
}

/// Answers as a Redis of long ago does to whoever asks what it is; its address.
struct OldRedis(SocketAddr);

impl OldRedis {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || Self::answer(&client));
            }
        });
        Self(address)
    }

    /// Until the client leaves.
    fn answer(client: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(client).lines();
        loop {
            let count: usize = lines.next()?.ok()?.strip_prefix('*')?.parse().ok()?;
            // each word is its length and itself, on a line each
            let words: Vec<String> = lines.by_ref().take(2 * count).collect::<Result<_, _>>().ok()?;
            let info = "# Server\r\nredis_version:6.2.14\r\nrun_id:1\r\n";
            let answer = match words[1].to_ascii_uppercase().as_str() {
                "INFO" => format!("${}\r\n{info}\r\n", info.len()),
                "PING" => "+PONG\r\n".into(),
                _ => "+OK\r\n".into(),
            };
            (&mut &*client).write_all(answer.as_bytes()).ok()?;
        }
    }
}

#[track_caller]
fn refused(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!((ran.code, ran.results.len()), (Some(code), 0), "{}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is missing in: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn what_can_not_be_run_is_refused_with_the_value_and_the_remedy() {
    let folder = with_tasks();
    for (line, words) in [
        ("-n 0 --input jobs.jsonl", &["--workers 0", "-n 4"][..]),
        ("", &["memory:", "--input FILE"]),
        ("--input jobs.jsonl ./myworker", &["myworker", "-q localhost:6379"]),
        ("-q amqp://ann:secret@host", &["amqp://ann:***@host"]),
        ("--input absent.jsonl", &["absent.jsonl"]),
        ("--max-tasks 5", &["--max-tasks"]),
    ] {
        let ran = folder.run(line);
        refused(&ran, 2, words);
        assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
    }
}

#[test]
fn a_folder_without_anything_to_run_is_refused_before_the_queue_is_asked() {
    refused(&folder().run("-q localhost:1"), 2, &["no tasks.toml in", "./myworker"]);
}

#[test]
fn a_slip_in_the_tasks_file_is_found_before_anything_runs() {
    let folder = folder().file("tasks.toml", "[tasks.say]\ncomand = [\"echo\"]\n").file("jobs.jsonl", "");
    refused(&folder.run("--input jobs.jsonl --drain"), 2, &["comand", "command"]);
}

#[test]
fn a_command_whose_program_is_missing_is_found_before_anything_runs() {
    let folder =
        folder().file("tasks.toml", "[tasks.say]\ncommand = [\"no-such-program\"]\n").file("jobs.jsonl", "");
    refused(&folder.run("--input jobs.jsonl --drain"), 2, &["no-such-program", "tasks.toml:2", "install it"]);
}

#[test]
fn a_redis_that_is_too_old_is_told_with_its_version() {
    let old = OldRedis::start();
    let ran = with_tasks().run(&format!("-q {} --drain --no-monitoring", old.0));
    refused(&ran, 3, &["6.2.14", "7.0 or newer"]);
}

#[test]
fn a_lone_worker_without_a_queue_is_told_what_to_give() {
    let ran = Ran::of(with_tasks().command_of(WORKER, "").output().unwrap());
    refused(&ran, 2, &["-q localhost:6379"]);
}

#[test]
fn a_port_where_no_redis_answers_is_named_within_the_time_given() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = with_tasks().run(&format!("-q 127.0.0.1:{port} --connect-timeout 1s --no-monitoring"));
    refused(&ran, 3, &[&port.to_string()]);
}

#[test]
fn lines_that_are_no_tasks_are_told_by_their_numbers_and_the_rest_runs() {
    let bad = [
        ("not json", "no JSON object"),
        (r#"["say"]"#, "no JSON object"),
        (r#"{"task": "say", "params": {}"#, "no JSON"),
        (r#"{"task": "two words"}"#, "`two words` is not a name"),
        (r#"{"task": "say", "id": "a b"}"#, "`a b` is not a task id"),
        (r#"{"task": "say", "priority": 400}"#, "priority 400 is not between 0 and 100"),
        (r#"{"task": "say", "delay": "soon"}"#, "`soon` is not a duration"),
        (r#"{"task": "say", "dealy": 1}"#, "unknown field `dealy`"),
    ];
    let large = format!(r#"{{"task": "say", "params": {{"word": "{}"}}}}"#, "x".repeat(1_100_000));
    let deep = format!(r#"{{"task": "say", "params": {}{}}}"#, "[".repeat(300), "]".repeat(300));
    let mut lines: Vec<(&str, &str)> = bad.to_vec();
    lines.extend([(large.as_str(), "1048576 are allowed"), (deep.as_str(), "nested too deep")]);
    let mut jobs = String::new();
    for (line, _) in &lines {
        writeln!(jobs, "{line}").unwrap();
    }
    jobs.push_str("{\"task\": \"say\", \"id\": \"good\"}");
    let folder = folder().file("tasks.toml", TASKS).file("jobs.jsonl", &jobs);
    let ran = folder.run("--no-monitoring --input jobs.jsonl --drain");
    assert_eq!((ran.code, ran.results.len()), (Some(2), 1), "{}", ran.stderr);
    assert_eq!(ran.result("good")["status"], "COMPLETED");
    for (i, (_, word)) in lines.iter().enumerate() {
        let told = ran.stderr.lines().find(|said| said.starts_with(&format!("line {}: ", i + 1)));
        assert!(told.is_some_and(|told| told.contains(word)), "line {}: {}", i + 1, ran.stderr);
    }
    assert!(ran.stderr.contains("1 completed, 10 bad lines"), "{}", ran.stderr);
}

#[test]
fn a_param_is_one_argument_whatever_is_in_it_and_never_an_option() {
    let tasks = "[tasks.print]\ncommand = [\"printf\", \"%s\", \"{word}\"]\noutput = \"text\"\nmax_retries = 0\n\
                 [tasks.json]\ncommand = [\"echo\", \"no json\"]\noutput = \"json\"\nmax_retries = 0\n";
    let shell = r#"$(touch pwned) `touch pwned`; touch pwned | & > pwned ' \" * ~ \\"#;
    let mut jobs = String::new();
    for (id, word) in [("shell", shell), ("dash", "-v"), ("nul", r"a\u0000b")] {
        let word = if id == "nul" { format!("\"{word}\"") } else { serde_json::to_string(word).unwrap() };
        writeln!(jobs, r#"{{"task": "print", "id": "{id}", "params": {{"word": {word}}}}}"#).unwrap();
    }
    jobs.push_str("{\"task\": \"print\", \"id\": \"missing\"}\n{\"task\": \"json\", \"id\": \"type\"}\n");
    let folder = folder().file("tasks.toml", tasks).file("jobs.jsonl", &jobs);
    let ran = folder.run("--no-monitoring --input jobs.jsonl --drain");
    assert_eq!((ran.code, ran.results.len()), (Some(1), 5), "{}", ran.stderr);
    assert_eq!(ran.result("shell")["result"], shell);
    assert!(!folder.path("pwned").exists());
    for (id, kind, remedy) in [
        ("dash", "params", "allow_dash"),
        ("nul", "params", "NUL"),
        ("missing", "params", "enqueue the task with it"),
        ("type", "result", "no JSON"),
    ] {
        let error = &ran.result(id)["error"];
        assert_eq!(error["kind"], kind, "{error}");
        assert!(error["message"].as_str().unwrap().contains(remedy), "{error}");
    }
}

#[test]
fn a_name_that_no_worker_of_the_batch_knows_fails_at_once_on_redis_too() {
    let server = RedisServer::start(&[]);
    let jobs = "{\"task\": \"nobody\", \"id\": \"n\"}\n{\"task\": \"say\", \"id\": \"a\"}\n";
    let folder = folder().file("tasks.toml", TASKS).file("jobs.jsonl", jobs);
    let ran = folder.run(&format!("-n 2 --no-monitoring -q {} --input jobs.jsonl --drain", server.url()));
    assert_eq!((ran.code, ran.results.len()), (Some(1), 2), "{}", ran.stderr);
    let error = &ran.result("n")["error"];
    assert_eq!(
        (&error["kind"], ran.result("a")["status"].as_str()),
        (&"unknown_name".into(), Some("COMPLETED"))
    );
    assert!(error["message"].as_str().unwrap().ends_with("they know: say"), "{error}");
}

#[test]
fn a_redis_that_refuses_us_is_told_with_the_remedy_and_without_the_password() {
    let server = RedisServer::start(&["--requirepass", "s3cret"]);
    let folder = with_tasks();
    for (url, words) in [
        (server.url(), &["NOAUTH", "redis://user:password@host"][..]),
        (format!("redis://:wr0ng@{}", server.url()), &["password is wrong"]),
        (format!("redis://ann:wr0ng@{}", server.url()), &["password is wrong"]),
    ] {
        let ran = folder.run(&format!("-q {url} --drain --no-monitoring"));
        refused(&ran, 3, words);
        assert!(!ran.stderr.contains("wr0ng"), "{}", ran.stderr);
        let lone = Ran::of(folder.command_of(WORKER, &format!("-q {url}")).output().unwrap());
        refused(&lone, 3, words);
        assert!(!lone.stderr.contains("wr0ng"), "{}", lone.stderr);
    }
    let ran = folder.run(&format!("-q redis://:s3cret@{} --drain --no-monitoring", server.url()));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_redis_that_may_evict_tasks_is_warned_of_at_the_start() {
    let server = RedisServer::start(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    let ran = with_tasks().run(&format!("-q {} --drain --no-monitoring", server.url()));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("allkeys-lru") && ran.stderr.contains("noeviction"), "{}", ran.stderr);
}

#[test]
fn a_batch_waits_for_a_full_redis_and_says_so() {
    let server = RedisServer::start(&["--maxmemory", "1mb", "--maxmemory-policy", "noeviction"]);
    let folder =
        folder().file("tasks.toml", TASKS).file("jobs.jsonl", "{\"task\": \"say\", \"id\": \"a\"}\n");
    let mut running =
        folder.start(&format!("-n 1 --no-monitoring -q {} --input jobs.jsonl --drain", server.url()));
    eventually("it says that the queue is full", || {
        running.stderr().contains("the queue is full").then_some(())
    });
    server.command(&["config", "set", "maxmemory", "0"]);
    assert_eq!(running.next_result()["id"], "a");
    assert_eq!(running.end().code, Some(0));
}
