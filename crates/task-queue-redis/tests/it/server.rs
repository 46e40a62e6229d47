//! A redis-server of the test's own, as the tests speak of it.

use std::ops::{Deref, DerefMut};

use task_queue_redis::RedisQueue;
use task_testkit::RedisServer;

pub(crate) struct Server {
    server: RedisServer,
    pub(crate) port: u16,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    RedisServer::free_port()
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        let server = RedisServer::start(args);
        Self { port: server.port(), server }
    }

    /// Speaks to it by hand, as a person would with redis-cli; answers its lines.
    pub(crate) fn say(&self, words: &[&str]) -> String {
        self.command(words)
    }

    /// Waits until so many of the clients of this name are in this command.
    pub(crate) async fn see(&self, name: &str, command: &str, clients: usize) {
        // a command that is over is told, too, and so is whether one blocks
        let blocks = if command == "blpop" { " flags=b " } else { " " };
        let (name, command) = (format!(" name=task-queue:{name} "), format!(" cmd={command} "));
        let seen = |line: &&str| [&name, &command, blocks].iter().all(|part| line.contains(*part));
        crate::stage::until(&format!("{clients} clients with{name}in{command}"), || async {
            (self.say(&["client", "list"]).lines().filter(seen).count() == clients).then_some(())
        })
        .await;
    }

    /// A queue on it.
    pub(crate) async fn queue(&self) -> RedisQueue {
        RedisQueue::connect(&self.url()).await.unwrap()
    }
}

impl Deref for Server {
    type Target = RedisServer;

    fn deref(&self) -> &RedisServer {
        &self.server
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut RedisServer {
        &mut self.server
    }
}
