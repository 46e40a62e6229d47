//! What lies in a worker's inbox need not be of ours.

use task_queue_redis::task_core::*;

use crate::{server::Server, stage::*};

/// Each heartbeat failed on it, and so its worker lost its lease.
#[tokio::test]
async fn an_entry_in_an_inbox_that_is_no_command_is_passed_over_and_gone() {
    let server = Server::start(&[]);
    let queue = server.queue().await;
    let worker = Incarnation::new();
    queue.heartbeat(beat(worker)).await.unwrap();
    let inbox = format!("tf:{{tasks}}:inbox:{worker}");
    let tell = async |command| {
        assert_eq!(queue.control(&Q, Command::Tell(worker, command)).await.unwrap(), ControlAnswer::Done(0));
    };
    for entry in ["garbage", "99999999999999999999:x", ":", "x:1"] {
        server.say(&["rpush", &inbox, entry]);
    }
    tell(WorkerCommand::Pause).await;
    server.say(&["rpush", &inbox, "-1:"]);
    tell(WorkerCommand::Resume).await;
    let told = queue.heartbeat(beat(worker)).await.unwrap();
    assert_eq!(told.commands, [WorkerCommand::Pause, WorkerCommand::Resume]);
    assert_eq!(server.say(&["llen", &inbox]), "2", "it is told once, and so warned of once");
    let mut heard = beat(worker);
    heard.heard = told.told;
    assert_eq!(queue.heartbeat(heard).await.unwrap().commands, []);
    assert_eq!(server.say(&["exists", &inbox]), "0");
}
