use task_runtime::cached;

#[cached]
async fn page(id: impl Into<u64>) -> u64 {
    id.into()
}

#[cached]
async fn pages() -> impl Iterator<Item = u64> {
    [1, 2, 3].into_iter()
}

fn main() {}
