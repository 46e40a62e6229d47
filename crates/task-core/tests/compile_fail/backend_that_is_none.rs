use task_core::TaskQueue;

struct My;

fn main() {
    let _ = TaskQueue::new(My);
}
