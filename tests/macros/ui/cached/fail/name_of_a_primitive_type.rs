use task_runtime::cached;

#[cached]
async fn str(id: u64) -> u64 {
    id
}

fn main() {}
