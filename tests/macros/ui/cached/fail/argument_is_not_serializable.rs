use task_runtime::cached;

struct Database;

#[cached(ttl = 60)]
async fn page(id: u64, database: &Database) -> u64 {
    let _ = database;
    id
}

fn main() {}
