use task_runtime::cached;

#[cached(ttl = "60", stale = 0, cache_errors = "5min", version = 0, early = "soon", by = id, name = "a b", cache = "")]
async fn page(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[cached(ttl = never, crate = "my::path")]
async fn other(id: u64) -> u64 {
    id
}

fn main() {}
