use task_runtime::cached;

#[cached(ttl = 60, cache_errors = 5)]
async fn page(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
