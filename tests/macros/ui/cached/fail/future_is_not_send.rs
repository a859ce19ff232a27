use std::rc::Rc;

use task_runtime::cached;

async fn elsewhere() {}

#[cached(ttl = 60)]
async fn page(id: u64) -> u64 {
    let shared = Rc::new(id);
    elsewhere().await;
    *shared
}

fn main() {}
