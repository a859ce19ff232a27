use task_runtime::cached;

#[cached]
async fn page(id: u64, connection: &mut u8) -> u64 {
    *connection += 1;
    id
}

#[cached(by = ["id", "connection"])]
async fn other(id: u64, connection: &mut u8) -> u64 {
    *connection += 1;
    id
}

fn main() {}
