use task_runtime::cached;

#[cached(tags = ["", "user:{id", "user:id}", "user:{}", "user:{id:?}"])]
async fn page(id: u64) -> u64 {
    id
}

#[cached(tags = user)]
async fn other(id: u64) -> u64 {
    id
}

fn main() {}
