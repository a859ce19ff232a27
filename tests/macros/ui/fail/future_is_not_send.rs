use task_runtime::task;

use std::rc::Rc;

async fn elsewhere() {}

#[task]
async fn send(to: String) {
    let shared = Rc::new(to);
    elsewhere().await;
    drop(shared);
}

fn main() {}
