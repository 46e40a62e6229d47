use std::{
    collections::HashSet,
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use task_core::{TaskError, TaskOptions, encode};
use task_queue_memory::MemoryQueue;
use task_worker::{TaskRegistry, TaskWorker};
use tokio::task::AbortHandle;

use super::*;

/// Where results are written, for the test to read.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn results(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

struct Bench {
    queue: TaskQueue,
    written: Written,
    stage: watch::Sender<Stage>,
    worker: Option<AbortHandle>,
}

impl Bench {
    fn new() -> Self {
        Self::on(MemoryQueue::new())
    }

    fn on(queue: MemoryQueue) -> Self {
        let queue = TaskQueue::new(queue);
        Self { queue, written: Written::default(), stage: watch::channel(Stage::Run).0, worker: None }
    }

    /// With a worker that completes `ok`, fails `fail`, keeps `hold`, and knows nothing else.
    fn working(mut self) -> Self {
        let once = TaskOptions::default().max_retries(0);
        let registry =
            TaskRegistry::new()
                .register_named(Name::from_static("ok").unwrap(), once.clone(), |_, _| {
                    Box::pin(async { Ok(encode(&1).unwrap().into()) })
                })
                .register_named(Name::from_static("fail").unwrap(), once.clone(), |_, _| {
                    Box::pin(async { Err(TaskError::fatal("no")) })
                })
                .register_named(Name::from_static("hold").unwrap(), once, |_, _| {
                    Box::pin(std::future::pending())
                });
        let worker = TaskWorker::new(self.queue.clone(), registry).closed_set(true);
        self.worker = Some(tokio::spawn(worker.run_until(std::future::pending())).abort_handle());
        self
    }

    async fn run(&self, lines: &str) -> Tally {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.jsonl");
        std::fs::write(&path, lines).unwrap();
        let results = Some(Box::new(self.written.clone()) as Box<dyn io::Write + Send>);
        run(self.queue.clone(), Name::DEFAULT_QUEUE, Input::File(path), results, self.stage.subscribe()).await
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.abort();
        }
    }
}

#[tokio::test]
async fn each_task_of_the_input_is_run_and_printed_once() {
    let bench = Bench::new().working();
    let mut lines = String::new();
    for i in 0..1500 {
        writeln!(lines, r#"{{"task": "ok", "id": "{i}"}}"#).unwrap();
    }
    let tally = bench.run(&lines).await;
    assert_eq!(tally, Tally { completed: 1500, ..Tally::default() });
    let ids: HashSet<String> =
        bench.written.results().iter().map(|result| result["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), bench.written.results().len()), (1500, 1500));
}

#[tokio::test]
async fn what_a_full_queue_refuses_is_sent_again_while_results_go_on_being_printed() {
    // lines that were refused kept the results of the others from being printed
    let bench = Bench::on(MemoryQueue::builder().limit(1).build()).working();
    let mut lines = String::new();
    for i in 0..5 {
        writeln!(lines, r#"{{"task": "ok", "id": "{i}"}}"#).unwrap();
    }
    let tally = bench.run(&lines).await;
    assert_eq!(tally, Tally { completed: 5, ..Tally::default() });
}

#[tokio::test]
async fn a_bad_line_is_counted_and_stops_nothing() {
    let bench = Bench::new().working();
    let lines = "{\"task\": \"ok\"}\nnot json\n{\"task\": \"ok\", \"dealy\": 1}\n{\"task\": \"fail\"}\n";
    let tally = bench.run(lines).await;
    assert_eq!(tally, Tally { completed: 1, failed: 1, bad_lines: 2, ..Tally::default() });
}

#[tokio::test]
async fn an_id_that_comes_twice_is_one_task_and_the_same_id_with_other_params_a_bad_line() {
    let bench = Bench::new().working();
    let line = |word: &str| format!("{{\"task\": \"ok\", \"id\": \"a\", \"params\": \"{word}\"}}\n");
    let tally = bench.run(&(line("x") + &line("x") + &line("y"))).await;
    assert_eq!(tally, Tally { completed: 1, bad_lines: 1, ..Tally::default() });
    assert_eq!(bench.written.results().len(), 1);
    let again = bench.run(&line("x")).await;
    assert_eq!((again.completed, bench.written.results().len()), (1, 2), "a run of its own prints it again");
}

#[tokio::test]
async fn a_name_that_no_worker_here_knows_fails_at_once() {
    let bench = Bench::new().working();
    let tally = bench.run("{\"task\": \"nobody\", \"id\": \"n\"}\n").await;
    assert_eq!((tally.completed, tally.failed), (0, 1));
    let error = &bench.written.results()[0]["error"];
    assert_eq!(error["kind"], "unknown_name");
    assert!(error["message"].as_str().unwrap().ends_with("they know: fail, hold, ok"), "{error}");
}

#[tokio::test]
async fn a_batch_that_is_cut_short_prints_what_is_final_and_counts_what_is_not() {
    let bench = Bench::new().working();
    let lines = "{\"task\": \"ok\", \"id\": \"a\"}\n{\"task\": \"hold\", \"id\": \"h\"}\n";
    let cut = async {
        let look = async |id: &str| {
            let found = bench.queue.result(&Name::DEFAULT_QUEUE, &id.parse().unwrap()).await.unwrap();
            found.into_found().map(|record| record.status)
        };
        while (look("a").await, look("h").await) != (Some(TaskStatus::Completed), Some(TaskStatus::Running)) {
            tokio::task::yield_now().await;
        }
        bench.stage.send_replace(Stage::Close);
        bench.stage.send_replace(Stage::Last);
    };
    let (tally, ()) = tokio::join!(bench.run(lines), cut);
    assert_eq!((tally.completed, tally.left), (1, 1), "{tally:?}");
    assert_eq!(bench.written.results()[0]["id"], "a");
}

#[tokio::test]
async fn results_that_nobody_reads_end_the_batch() {
    struct Closed;
    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let bench = Bench::new().working();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.jsonl");
    std::fs::write(&path, "{\"task\": \"ok\"}\n{\"task\": \"hold\"}\n").unwrap();
    let stage = bench.stage.subscribe();
    let tally =
        run(bench.queue.clone(), Name::DEFAULT_QUEUE, Input::File(path), Some(Box::new(Closed)), stage).await;
    assert!(tally.broken);
}
