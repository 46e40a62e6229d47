//! The monitor as a scraper and a probe see it: over HTTP.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use task_core::{Name, Queue, TaskQueue};
use task_monitor::{METRICS, Monitor, MonitorError, Observations};
use task_queue_memory::MemoryQueue;
use task_testkit::{Hostile, Mishap};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

struct Site {
    address: std::net::SocketAddr,
    observations: Arc<Observations>,
    serving: tokio::task::JoinHandle<Result<(), MonitorError>>,
}

impl Site {
    fn of(queue: impl Queue) -> Self {
        let monitor = Monitor::bind(Ipv4Addr::LOCALHOST.into(), 0).unwrap();
        let (address, observations) = (monitor.address(), Arc::new(Observations::new()));
        let queues = vec![Name::DEFAULT_QUEUE, "mail".parse().unwrap()];
        let serving = tokio::spawn(monitor.serve(TaskQueue::new(queue), queues, observations.clone()));
        Self { address, observations, serving }
    }

    /// The status and the rest of the answer.
    async fn get(&self, path: &str) -> (u16, String) {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }

    async fn metrics(&self) -> String {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200, "{text}");
        text
    }
}

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|l| l == line), "no line `{line}` in\n{text}");
}

#[tokio::test]
async fn metrics_tell_what_the_queue_and_the_process_saw() {
    let memory = MemoryQueue::new();
    let queue = TaskQueue::new(memory.clone());
    let site = Site::of(memory);
    let first = queue.enqueue_named::<()>("a", &()).await.unwrap();
    queue.enqueue_named::<()>("a", &()).delay(Duration::from_secs(60)).await.unwrap();
    first.cancel().await.unwrap();
    let ran = Duration::from_millis(20);
    site.observations.ended(&Name::DEFAULT_QUEUE, &"a".parse().unwrap(), 3, Duration::ZERO, ran);
    site.observations.set_alive(4);
    site.observations.restarted("killed");

    let text = site.metrics().await;
    assert!(text.contains("content-type: application/openmetrics-text"), "{text}");
    has(&text, "# TYPE task_enqueued counter");
    has(&text, r#"task_enqueued_total{queue="tasks"} 2"#);
    has(&text, r#"task_enqueued_total{queue="mail"} 0"#);
    has(&text, r#"task_finished_total{queue="tasks",state="CANCELLED"} 1"#);
    has(&text, r#"task_queue_depth{queue="tasks",state="PENDING"} 1.0"#);
    has(&text, r#"task_queue_held{queue="tasks",reason="delayed"} 1.0"#);
    has(&text, r#"task_queue_up{queue="tasks"} 1"#);
    has(&text, r#"task_run_seconds_count{queue="tasks",task="a"} 3"#);
    has(&text, r#"task_run_seconds_bucket{le="0.05",queue="tasks",task="a"} 3"#);
    has(&text, "task_children_alive 4");
    has(&text, r#"task_children_restarted_total{reason="killed"} 1"#);
    has(&text, "# EOF");
    for metric in METRICS {
        has(&text, &format!("# HELP {} {}.", metric.name, metric.help));
    }
}

#[tokio::test]
async fn while_the_queue_is_away_the_last_numbers_are_served_and_say_that_they_are_old() {
    let memory = MemoryQueue::new();
    TaskQueue::new(memory.clone()).enqueue_named::<()>("a", &()).await.unwrap();
    // a scrape asks each of the two queues once
    let (works, fails) = ([Mishap::None; 2], [Mishap::Fail; 2]);
    let site = Site::of(Hostile::new(memory).plan(works.into_iter().chain(fails)));
    has(&site.metrics().await, r#"task_queue_up{queue="tasks"} 1"#);
    let away = site.metrics().await;
    has(&away, r#"task_queue_up{queue="tasks"} 0"#);
    has(&away, r#"task_enqueued_total{queue="tasks"} 1"#);
    has(&site.metrics().await, r#"task_queue_up{queue="tasks"} 1"#);
}

#[tokio::test]
async fn it_is_not_ready_while_the_queue_is_away_or_all_workers_are_parked_and_is_healthy_all_the_while() {
    let site = Site::of(Hostile::new(MemoryQueue::new()).plan([Mishap::Fail]));
    let (status, text) = site.get("/readyz").await;
    assert!(status == 503 && text.contains("the queue can't be reached: "), "{text}");
    assert_eq!(site.get("/readyz").await.0, 200);

    site.observations.set_all_parked(true);
    let (status, text) = site.get("/readyz").await;
    assert!(status == 503 && text.contains("parked"), "{text}");
    assert_eq!(site.get("/healthz").await.0, 200);
    has(&site.metrics().await, "task_children_all_parked 1");
    site.observations.set_all_parked(false);
    assert_eq!(site.get("/readyz").await.0, 200);
}

/// Names of tasks come from whoever enqueues: without a bound they fill the memory of the process and of Prometheus.
#[tokio::test]
async fn names_beyond_the_bound_count_as_other() {
    let site = Site::of(MemoryQueue::new());
    for n in 0..Observations::MAX_TASKS + 50 {
        let task = format!("t{n}").parse().unwrap();
        site.observations.ended(&Name::DEFAULT_QUEUE, &task, 1, Duration::ZERO, Duration::ZERO);
    }
    let text = site.metrics().await;
    has(&text, r#"task_wait_seconds_count{queue="tasks",task="other"} 50"#);
    let series = text.lines().filter(|line| line.starts_with("task_wait_seconds_count")).count();
    assert_eq!(series, Observations::MAX_TASKS + 1);
}

#[tokio::test]
async fn a_port_in_use_is_named_with_the_remedy() {
    let site = Site::of(MemoryQueue::new());
    let error = Monitor::bind(site.address.ip(), site.address.port()).unwrap_err().to_string();
    assert!(error.contains(&format!("port {} of 127.0.0.1 is in use", site.address.port())), "{error}");
    assert!(error.contains("--monitoring-port") && error.contains("--no-monitoring"), "{error}");
}

#[tokio::test]
async fn when_it_is_dropped_the_port_is_free_and_waiting_connections_end() {
    let site = Site::of(MemoryQueue::new());
    let mut kept = TcpStream::connect(site.address).await.unwrap();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    kept.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    site.serving.abort();
    let mut rest = Vec::new();
    let closed = kept.read_to_end(&mut rest);
    tokio::time::timeout(Duration::from_secs(10), closed).await.expect("the connection stays open").unwrap();
    Monitor::bind(site.address.ip(), site.address.port()).unwrap();
}

#[tokio::test]
async fn other_paths_are_answered_with_those_that_there_are() {
    let (status, text) = Site::of(MemoryQueue::new()).get("/").await;
    assert!(status == 404 && text.contains("/metrics"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn silent_connections_are_bounded_and_closed_so_that_others_are_answered() {
    // whoever opened connections and said nothing took every file of the process, and no worker could be started
    let site = Site::of(MemoryQueue::new());
    let mut silent = Vec::new();
    for _ in 0..100 {
        silent.push(TcpStream::connect(site.address).await.unwrap());
    }
    let mut half = TcpStream::connect(site.address).await.unwrap();
    half.write_all(b"GET /healthz HT").await.unwrap();
    assert_eq!(site.get("/healthz").await.0, 200);
    let mut rest = Vec::new();
    for mut connection in silent.into_iter().chain([half]) {
        let _ = connection.read_to_end(&mut rest).await; // an end or a reset, and not a wait for ever
    }
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
}
