//! App, workers and queue as processes, spoken to over HTTP.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use task_testkit::RedisServer;

/// A process that ends with the test, in order, so that an orchestrator ends its workers too.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).ok();
        self.0.wait().ok();
    }
}

/// The app on a free port, and its URL.
fn app(queue: &str) -> (Running, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_web-app"));
    let mut child = command.args([queue, "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (Running(child), url.trim().to_owned())
}

fn workers(queue: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_web-app-worker"));
    command.args(["-n", "1", "-q", queue, "--no-monitoring", "--log-level", "WARN"]);
    Running(command.spawn().unwrap())
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

#[test]
fn a_report_is_ordered_and_fetched_and_what_went_wrong_is_told() {
    let server = RedisServer::start(&[]);
    let (_app, url) = app(&server.url());
    let _workers = workers(&server.url());
    let agent = agent();
    let order = |text: &str| {
        let answer = agent.post(format!("{url}/reports")).send_json(json!({"text": text})).unwrap();
        assert_eq!(answer.status(), 202);
        format!("{url}{}", answer.headers()["location"].to_str().unwrap())
    };
    let fetch = |place: &str| loop {
        let mut answer = agent.get(place).call().unwrap();
        if answer.status() != 202 {
            return (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap());
        }
    };

    let (status, body) = fetch(&order("one two Two"));
    assert_eq!(status, 200, "{body}");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json!({"words": {"one": 1, "two": 2}}));

    let (status, body) = fetch(&order("  "));
    assert_eq!(status, 422);
    assert!(body.contains("the text is empty"), "{body}");

    let (status, body) = fetch(&format!("{url}/reports/nobody-knows-it"));
    assert_eq!(status, 404, "{body}");
}
