use task_runtime::cached;

#[cached]
async fn page(id: u64, #[cfg(unix)] language: String) -> u64 {
    let _ = language;
    id
}

fn main() {}
