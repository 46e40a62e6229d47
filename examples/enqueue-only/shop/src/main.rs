//! Places an order: `shop localhost:6379 ORDER MAIL`.

use anyhow::Context as _;
use task_core::TaskQueue;
use task_queue_redis::RedisQueue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, order, mail] = args.as_slice() else { anyhow::bail!("usage: shop URL ORDER MAIL") };
    let backend = RedisQueue::connect(url).await.context("the queue")?;
    let receipt = example_enqueue_only::order_placed(&TaskQueue::new(backend), order, mail).await?;
    println!("{} {}", if receipt.is_new() { "placed" } else { "was placed before" }, receipt.id());
    Ok(())
}
