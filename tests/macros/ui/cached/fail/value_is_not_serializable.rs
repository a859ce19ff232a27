use task_runtime::cached;

struct Page;

#[cached(ttl = 60)]
async fn page(id: u64) -> Page {
    let _ = id;
    Page
}

#[cached(ttl = 60)]
async fn result(id: u64) -> Result<Page, String> {
    let _ = id;
    Ok(Page)
}

fn main() {}
