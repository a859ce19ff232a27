use task_runtime::cached;

#[cached(ttl = 60, tags = "list:{ids}")]
async fn sum(ids: Vec<u64>) -> u64 {
    ids.iter().sum()
}

fn main() {}
