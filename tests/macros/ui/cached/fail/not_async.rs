use task_runtime::cached;

#[cached]
fn page(id: u64) -> u64 {
    id
}

fn main() {}
