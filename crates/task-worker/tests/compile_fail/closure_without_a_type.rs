use task_worker::prelude::*;

fn main() {
    let _ = TaskRegistry::new().register_fn(|_params, _ctx| async move { Ok(()) });
}
