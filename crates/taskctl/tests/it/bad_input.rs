use std::time::{Duration, Instant};

use task_testkit::RedisServer;

use crate::server::{Ran, Server, taskctl};

#[test]
fn what_is_wrong_by_itself_is_told_with_its_remedy_before_anything_is_opened() {
    // nothing listens there: a command that asked the queue would end with 3
    let nowhere = ["-q", "127.0.0.1:1"];
    for (line, words) in [
        (&["list"][..], &["-q localhost:6379", "TASK_QUEUE"][..]),
        (&["-q", "memory:", "list"], &["memory:", "-q localhost:6379"]),
        (&["-q", "amqp://ann:secret@host", "list"], &["amqp://ann:***@host", "redis://"]),
        (&[nowhere[0], nowhere[1], "enqueue", "count", "{path}"], &["count", "JSON"]),
        (&[nowhere[0], nowhere[1], "enqueue", "two words"], &["two words", "A-Z"]),
        (&[nowhere[0], nowhere[1], "enqueue", "count", "--delay", "soon"], &["soon", "30s"]),
        (&[nowhere[0], nowhere[1], "enqueue", "count", "--priority", "101"], &["101", "100"]),
        (
            &[nowhere[0], nowhere[1], "enqueue", "count", "--delay", "1s", "--at", "2030-01-31T18:00:00Z"],
            &["--at"],
        ),
        (&[nowhere[0], nowhere[1], "enqueue", "count", "--unique", ""], &["unique key"]),
        (&[nowhere[0], nowhere[1], "status", "a b"], &["a b"]),
        (&[nowhere[0], nowhere[1], "list", "--state", "done"], &["done", "COMPLETED"]),
        (&[nowhere[0], nowhere[1], "purge", "tasks"], &["tasks", "--yes"]),
        (&[nowhere[0], nowhere[1], "pause", "mail", "--queue-name", "tasks"], &["mail", "tasks"]),
        (&[nowhere[0], nowhere[1], "import", "absent.jsonl"], &["absent.jsonl"]),
        (&[nowhere[0], nowhere[1], "import", "."], &["directory"]),
        (&[nowhere[0], nowhere[1], "replay"], &["--all-failed"]),
        (
            &[nowhere[0], nowhere[1], "enqueue", "count", "--unique", "a", "--unique-in-queue", "b"],
            &["--unique"],
        ),
        (&[nowhere[0], nowhere[1], "enqueue", "count", "--header", "user"], &["user", "NAME=VALUE"]),
        (&[nowhere[0], nowhere[1], "enqueue", "count", "--backoff", "1s..soon"], &["soon", "30s"]),
        (&["-q", "localhost", "list"], &["`localhost`", "`localhost:6379`"]),
        (&[nowhere[0], nowhere[1], "top"], &["top"]),
        (&[], &["export TASK_QUEUE=", "taskctl stats"]),
    ] {
        let ran = Ran::of(taskctl(line).output().unwrap()).exits(2).says(words);
        assert!(ran.out.is_empty() && !ran.err.contains("secret"), "{ran:?}");
    }
}

#[test]
fn a_port_where_no_redis_answers_is_named_within_the_time_given() {
    let url = format!("redis://:secret@127.0.0.1:{}", RedisServer::free_port());
    let start = Instant::now();
    let line = ["-q", &url, "--connect-timeout", "0.5", "stats"];
    let ran = Ran::of(taskctl(&line).output().unwrap()).exits(3);
    assert!(!ran.err.contains("secret") && ran.err.contains("127.0.0.1"), "{ran:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_server_that_accepts_and_never_answers_is_given_up_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = silent.local_addr().unwrap().to_string();
    let start = Instant::now();
    let line = ["-q", &url, "--connect-timeout", "0.5", "stats"];
    Ran::of(taskctl(&line).output().unwrap()).exits(3).says(&[&url]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_wrong_password_is_refused_at_once_and_never_shown() {
    let server = Server::start(&["--requirepass", "right"]);
    let start = Instant::now();
    for url in [server.url(), format!("redis://:wr0ng@{}", server.url())] {
        let ran =
            Ran::of(taskctl(&["-q", &url, "--connect-timeout", "60", "stats"]).output().unwrap()).exits(3);
        assert!(!ran.err.contains("wr0ng") && ran.err.contains("refuses us"), "{ran:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(30), "time does not mend a password");
    Ran::of(taskctl(&["-q", &format!("redis://:right@{}", server.url()), "queues"]).output().unwrap())
        .exits(0);
}

#[test]
fn the_url_in_the_environment_is_not_shown_in_the_help() {
    let ran =
        Ran::of(taskctl(&["--help"]).env("TASK_QUEUE", "redis://:s3cret@host").output().unwrap()).exits(0);
    assert!(!ran.out.contains("s3cret") && ran.out.contains("TASK_QUEUE"), "{}", ran.out);
}

#[test]
fn the_queue_comes_from_the_flag_else_from_the_environment() {
    let server = Server::start(&[]);
    let nowhere = "127.0.0.1:1";
    let here = &*server.url();
    let (host, port) = here.split_once(':').unwrap();
    for (line, env) in [
        (&["-q", here, "queues"][..], &[("TASK_QUEUE", nowhere), ("REDIS_URL", nowhere)][..]),
        (&["queues"], &[("TASK_QUEUE", here), ("REDIS_URL", nowhere)]),
        (&["queues"], &[("REDIS_URL", here), ("REDIS_HOST", "256.0.0.1")]),
        (&["queues"], &[("TASK_QUEUE", ""), ("REDIS_HOST", host), ("REDIS_PORT", port)]),
    ] {
        Ran::of(taskctl(line).envs(env.iter().copied()).output().unwrap()).exits(0);
    }
}
