//! The web app: `web-app [QUEUE [ADDRESS]]`.

use anyhow::Context as _;
use task_core::TaskQueue;
use task_queue_redis::RedisQueue;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let queue = args.next().unwrap_or_else(|| "localhost:6379".into());
    let address = args.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let queue = TaskQueue::new(RedisQueue::connect(&queue).await?);
    let listener = TcpListener::bind(&address).await.with_context(|| format!("can't listen on {address}"))?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, example_web_app::app(queue)).await?;
    Ok(())
}
