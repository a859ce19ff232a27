use task_runtime::cached;

#[cached]
#[cfg(any())]
async fn page(id: Missing) -> Missing {
    id
}

#[cached]
#[cfg(all())]
async fn page(id: u64) -> u64 {
    id
}

fn main() {
    assert!(page::key(1).is_ok());
}
