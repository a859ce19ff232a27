use task_runtime::cached;

#[cached]
async fn page<T: Clone>(id: T) -> u64 {
    let _ = id;
    0
}

#[cached]
async fn list<'a, const N: usize>(ids: &'a [u64; N]) -> u64 {
    ids[0]
}

#[cached]
async fn sum(ids: Vec<u64>) -> u64
where
    u64: Copy,
{
    ids.iter().sum()
}

fn main() {}
