use task_runtime::cached;

struct Page<'a>(&'a str);

#[cached(by = "id", stale = "1m")]
async fn page(id: &str, pages: &[String], other: Page<'_>, text: &'static str, list: Vec<String>) -> String {
    let _ = (pages, other.0, text, list);
    id.to_owned()
}

#[cached(by = "id", early = true)]
async fn other(id: u64, pages: &[String]) -> u64 {
    let _ = pages;
    id
}

fn main() {}
