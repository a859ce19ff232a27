use task_runtime::cached;

struct Pages;

impl Pages {
    #[cached]
    async fn page(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
