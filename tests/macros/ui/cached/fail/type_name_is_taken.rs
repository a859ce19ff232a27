use task_runtime::cached;

mod page {}

#[cached(ttl = 60)]
async fn page(id: u64) -> u64 {
    id
}

fn main() {}
