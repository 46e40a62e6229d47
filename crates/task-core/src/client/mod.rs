mod enqueue;
mod gather;
mod handle;
mod queue;
mod resend;

pub use enqueue::Enqueue;
pub use handle::TaskHandle;
pub use queue::TaskQueue;
