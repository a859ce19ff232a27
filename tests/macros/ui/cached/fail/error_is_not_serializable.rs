use task_runtime::cached;

#[derive(Debug)]
struct Fault;

#[cached(ttl = 60, cache_errors = 5)]
async fn page(id: u64) -> Result<u64, Fault> {
    let _ = id;
    Err(Fault)
}

fn main() {}
