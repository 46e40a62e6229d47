//! The program as people start it.

use std::process::Command;

use task_testkit::RedisServer;

fn place(url: &str, order: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    let output = command.args([url, order, "ann@example.org"]).output().unwrap();
    let [said, told] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), said, told)
}

#[test]
fn an_order_is_placed_once() {
    let server = RedisServer::start(&[]);
    let (code, said, told) = place(&server.url(), "7");
    assert_eq!(code, Some(0), "{told}");
    let id = said.strip_prefix("placed ").unwrap();
    assert_eq!(place(&server.url(), "7").1, format!("was placed before {id}"));
}

#[test]
fn a_queue_that_is_away_is_told_by_its_address() {
    let mut server = RedisServer::start(&[]);
    let url = server.url();
    server.kill();
    let (code, _, told) = place(&url, "7");
    assert_eq!(code, Some(1));
    assert!(told.contains(&url), "{told}");
}
