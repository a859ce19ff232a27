use task_runtime::cached;

#[cached(tll = 60, key = "id", colour = 3)]
async fn page(id: u64) -> u64 {
    id
}

fn main() {}
