//! Ways to a server, and rights on it.

use std::{collections::BTreeSet, path::Path, process::Command};

use task_queue_redis::{RedisQueue, task_core::*};

use crate::{
    server::{Server, free_port},
    stage::*,
};

/// What we send ourselves; scripts are looked through for the rest.
const SENT: [&str; 12] = [
    "blpop",
    "client|setname",
    "eval",
    "evalsha",
    "get",
    "info",
    "ping",
    "sadd",
    "set",
    "smembers",
    "subscribe",
    "type",
];
/// Words in capitals in scripts that are no commands.
const NO_COMMANDS: [&str; 11] =
    ["CH", "CLOSED", "COUNT", "LIMIT", "MAXLEN", "OK", "RANK", "REG", "WITHSCORES", "WITHVALUES", "XX"];

/// The words of the rule that docs/queue.md prints, after the user's name.
pub(crate) fn least_rule() -> Vec<&'static str> {
    let docs = include_str!("../../../../docs/queue.md");
    let rule = docs.split("ACL SETUSER tasks ").nth(1).expect("docs/queue.md prints the rule");
    rule.split("```").next().unwrap().split_whitespace().filter(|word| *word != "\\").collect()
}

/// Lets the user `tasks`, password `PASSWORD`, in with these words of the rule.
pub(crate) fn let_in(server: &Server, rule: &[&str]) -> String {
    let words = [&["acl", "setuser", "tasks"], rule].concat();
    assert_eq!(server.say(&words), "OK");
    format!("redis://tasks:PASSWORD@127.0.0.1:{}", server.port)
}

#[test]
fn the_documented_rule_allows_what_is_used_and_nothing_else() {
    let lua = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lua");
    let mut used: BTreeSet<String> = SENT.iter().map(|command| (*command).to_owned()).collect();
    for file in std::fs::read_dir(lua).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let code = text.lines().map(|line| line.split("--").next().unwrap());
        for word in code.flat_map(|line| line.split(['\'', '"']).skip(1).step_by(2)) {
            let capitals = word.len() > 1 && word.bytes().all(|b| b.is_ascii_uppercase());
            if capitals && !NO_COMMANDS.contains(&word) {
                used.insert(word.to_lowercase());
            }
        }
    }
    let rule = least_rule();
    let allowed: BTreeSet<String> =
        rule.iter().filter_map(|word| word.strip_prefix('+')).map(str::to_owned).collect();
    assert_eq!(allowed, used);
    assert!(rule.starts_with(&["on", ">PASSWORD", "resetkeys", "~tf:*", "resetchannels", "&tf:*", "-@all"]));
}

#[tokio::test]
async fn where_info_is_closed_no_more_is_claimed_than_every_server_does() {
    let server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    assert_eq!(server.queue().await.info().await.unwrap().durability, Durability::Always);
    let url = let_in(&server, &least_rule());
    let queue = RedisQueue::connect(&url).await.unwrap();
    assert_eq!(queue.info().await.unwrap().durability, Durability::EverySecond, "CONFIG is closed");
    server.say(&["acl", "setuser", "tasks", "-info"]);
    let queue = RedisQueue::connect(&url).await.unwrap();
    let info = queue.info().await.unwrap();
    assert_eq!(info.durability, Durability::Server);
    assert!(info.warnings[0].contains("+info"), "{:?}", info.warnings);
    assert_eq!(put(&queue, "a", options()).await, Enqueued::Queued);
}

#[tokio::test]
async fn a_right_that_is_missing_is_refused_and_named() {
    let server = Server::start(&[]);
    let url = let_in(&server, &least_rule());
    server.say(&["acl", "setuser", "tasks", "-evalsha"]);
    let queue = RedisQueue::connect(&url).await.unwrap();
    let error = queue.enqueue(Batch::new(Q, vec![named(EXTRACT, "a", options())])).await.unwrap_err();
    assert!(matches!(&error, QueueError::Refused(words) if words.contains("evalsha")), "{error}");
    server.say(&["acl", "setuser", "tasks", "+evalsha", "resetkeys", "~other:*"]);
    let error = queue.enqueue(Batch::new(Q, vec![named(EXTRACT, "a", options())])).await.unwrap_err();
    assert!(matches!(&error, QueueError::Refused(words) if words.contains("docs/queue.md")), "{error}");
}

#[tokio::test]
async fn a_wrong_or_missing_password_is_refused_with_where_it_came_from_and_never_shown() {
    let server = Server::start(&["--requirepass", "right"]);
    let refused =
        [(":s3cret@", "from the URL"), ("nobody:s3cret@", "from the URL"), ("", "REDIS_PASSWORD_FILE")];
    for (user, told) in refused {
        let url = format!("redis://{user}127.0.0.1:{}", server.port);
        let error = RedisQueue::connect(&url).await.unwrap_err();
        assert!(matches!(error, QueueError::Refused(_)), "{error}");
        let words = error.to_string();
        assert!(!words.contains("s3cret") && words.contains(&server.port.to_string()), "{words}");
        assert!(words.contains(told), "{words}");
    }
    RedisQueue::connect(&format!("redis://:right@127.0.0.1:{}", server.port)).await.unwrap();
}

#[tokio::test]
async fn a_unix_socket_is_a_way_to_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("redis.sock");
    let _server = Server::start(&["--unixsocket", socket.to_str().unwrap()]);
    let queue = RedisQueue::connect(&format!("redis+unix://{}?prefix=mine", socket.display())).await.unwrap();
    assert_eq!(put(&queue, "a", options()).await, Enqueued::Queued);
    assert_eq!(record(&queue, "a").await.status, TaskStatus::Pending);
}

#[tokio::test]
async fn clients_are_named_for_whoever_lists_them() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    put(&queue, "a", options()).await;
    let clients = server.say(&["client", "list"]);
    assert!(clients.contains(" name=task-queue:commands "), "{clients}");
}

fn openssl(dir: &Path, command: &str) {
    let made = Command::new("openssl").current_dir(dir).args(command.split(' ')).output();
    let made = made.expect("openssl is installed");
    assert!(made.status.success(), "openssl {command}: {}", String::from_utf8_lossy(&made.stderr));
}

/// TLS had no cryptography behind it, and the first connection panicked.
#[tokio::test]
async fn tls_with_an_authority_of_ones_own_is_a_way_to_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(dir.path(), &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=authority"));
    std::fs::write(dir.path().join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
    for who in ["server", "client"] {
        openssl(dir.path(), &format!("req {key} -keyout {who}.key -out {who}.req -subj /CN={who}"));
        let signs = "x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names";
        openssl(dir.path(), &format!("{signs} -in {who}.req -out {who}.pem"));
    }
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let port = free_port();
    let (ca, cert, key) = (path("ca.pem"), path("server.pem"), path("server.key"));
    let mut args = vec!["--tls-ca-cert-file", &ca, "--tls-cert-file", &cert, "--tls-key-file", &key];
    let port_text = port.to_string();
    args.extend(["--tls-port", &port_text, "--tls-auth-clients", "yes"]);
    let _server = Server::start(&args);
    let ours = format!("cert={}&key={}", path("client.pem"), path("client.key"));
    let queue = RedisQueue::connect(&format!("rediss://127.0.0.1:{port}?ca={ca}&{ours}")).await.unwrap();
    put(&queue, "a", options()).await;
    let worker = Incarnation::new();
    let got = queue.dequeue(claim(worker, 1)).await.unwrap().tasks;
    let waits = tokio::spawn({
        let queue = queue.clone();
        async move { queue.wait(&Q, &id("a"), SOON).await }
    });
    settle(&queue, &got[0], completed()).await;
    assert!(!waits.await.unwrap().unwrap().is_live());
    let refused = [
        (format!("rediss://127.0.0.1:{port}"), "ca=FILE"),
        (format!("rediss://127.0.0.1:{port}?ca={ca}"), "cert=FILE"),
        (format!("redis://127.0.0.1:{port}"), "rediss://"),
    ];
    for (url, told) in refused {
        let error = RedisQueue::connect(&url).await.unwrap_err();
        let words = error.to_string();
        assert!(matches!(error, QueueError::Unreachable(_)), "{url}: {words}");
        assert!(words.contains(&port.to_string()) && words.contains(told), "{url}: {words}");
    }
}
