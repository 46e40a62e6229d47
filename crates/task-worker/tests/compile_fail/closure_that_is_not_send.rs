use task_worker::prelude::*;

#[derive(serde::Serialize, serde::Deserialize, TaskParams)]
struct Ping {}

async fn other() {}

fn main() {
    let _ = TaskRegistry::new().register_fn(|_: Ping, _ctx| async move {
        let shared = std::rc::Rc::new(1);
        other().await;
        println!("{shared}");
        Ok(())
    });
}
