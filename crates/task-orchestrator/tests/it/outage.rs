//! A Redis that goes away.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, net::UnixDatagram},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use task_core::TaskHandle;
use task_testkit::RedisServer;
use task_tests::{PATIENCE, Ran, eventually, line_of};

use crate::{ORCHESTRATOR, folder};

const TASKS: &str = r#"
[tasks.echo]
command = ["cat"]

# ends when it is told to by a file
[tasks.wait]
command = ["sh", "-c", "echo $PPID > waits.$TASK_ATTEMPT; until [ -e go ]; do sleep 0.02; done"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn workers_outlive_their_redis_and_a_task_that_ends_meanwhile_ran_once() {
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let folder = folder().file("tasks.toml", TASKS);
    let running = folder.start(&format!("-n 2 --no-monitoring -q {}", server.url()));
    let queue = crate::queue(&server).await.deadline(Duration::from_secs(20));
    let before: TaskHandle<Value> = queue.enqueue_named("wait", &json!({})).await.unwrap();
    line_of(&folder.path("waits.1"));

    server.kill();
    fs::write(folder.path("go"), "").unwrap(); // it ends with nobody to tell it to
    let later = tokio::spawn({
        let queue = queue.clone();
        async move { queue.enqueue_named::<Value>("echo", &json!({"late": true})).await }
    });
    eventually("a worker says that the queue is away", || {
        running.stderr().contains("the queue did not answer").then_some(())
    });
    server.start_again();

    let back = Instant::now();
    let later = later.await.unwrap().unwrap();
    assert_eq!(later.result(PATIENCE).await.unwrap(), json!({"late": true}), "{}", running.stderr());
    println!("from the server's return until a task ran: {} ms", back.elapsed().as_millis());
    assert!(back.elapsed() < Duration::from_secs(10), "{:?}: {}", back.elapsed(), running.stderr());
    before.result(PATIENCE).await.unwrap();
    let record = before.message().await.unwrap().unwrap();
    assert_eq!((record.attempts, record.crashes, record.failures), (1, 0, 0), "{}", running.stderr());
    assert!(!running.stderr().contains("restarts"), "nobody is ended for it: {}", running.stderr());
    running.signal(Signal::TERM);
    assert_eq!(running.end().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_service_whose_redis_is_away_stops_without_waiting_for_it() {
    // each idle worker waited its whole grace for the answer to its last claim, and was killed then
    let mut server = RedisServer::start(&[]);
    let folder = folder().file("tasks.toml", TASKS);
    let running = folder.start(&format!("-n 2 --no-monitoring -q {}", server.url()));
    let queue = crate::queue(&server).await;
    let task: TaskHandle<Value> = queue.enqueue_named("echo", &json!(1)).await.unwrap();
    task.result(PATIENCE).await.unwrap();
    server.kill();
    let start = Instant::now();
    running.signal(Signal::TERM);
    let ran = running.end();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}: {}", start.elapsed(), ran.stderr);
    assert!(!ran.stderr.contains("killed"), "{}", ran.stderr);
}

#[test]
fn a_tasks_file_whose_path_is_no_utf_8_reaches_the_workers_of_an_orchestrator() {
    // read as text, it passed for one that was not set: the workers knew no task
    let (server, folder) = (RedisServer::start(&[]), folder());
    let path = folder.path("jobs").with_file_name(OsStr::from_bytes(b"t\xffsks.toml"));
    fs::write(&path, TASKS).unwrap();
    let mut command = folder.command(&format!("-n 1 --no-monitoring -q {}", server.url()));
    command.arg("--drain").arg("--input").arg(folder.path("jobs"));
    fs::write(folder.path("jobs"), "{\"task\": \"echo\", \"params\": 7}\n").unwrap();
    command.arg(&path);
    let ran = Ran::of(command.output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.results[0]["result"], 7, "{}", ran.stderr);
}

#[test]
fn a_worker_that_waits_for_its_queue_says_so_often_enough_not_to_pass_for_one_that_hangs() {
    // it said so as rarely as it logged it, in the end once a minute, and was ended each time --ready-timeout was over
    let folder = folder().file("tasks.toml", TASKS);
    let ear = UnixDatagram::bind(folder.path("ear")).unwrap();
    ear.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut command = folder.command_of(ORCHESTRATOR, "");
    command.env("TASK_ROLE", "worker").env("TASK_FILE", folder.path("tasks.toml"));
    command.env("TASK_QUEUE", format!("127.0.0.1:{}", RedisServer::free_port()));
    command.env("NOTIFY_SOCKET", folder.path("ear"));
    let mut worker = command.spawn().unwrap();
    let start = Instant::now();
    let mut buffer = [0; 256];
    let hear = || ear.recv(&mut buffer).map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned());
    let heard: Result<Vec<String>, _> = std::iter::repeat_with(hear).take(6).collect();
    let took = start.elapsed();
    worker.kill().unwrap();
    worker.wait().unwrap();
    let heard = heard.expect("six words without a long silence");
    assert!(heard.iter().all(|word| word.starts_with("STATUS=waiting for the queue")), "{heard:?}");
    assert!(took < Duration::from_secs(15), "{took:?}");
}
