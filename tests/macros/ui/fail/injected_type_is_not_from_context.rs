use task_runtime::task;

struct Db;

#[task]
async fn send(to: String, #[inject] db: &Db) {
    let _ = (to, db);
}

fn main() {}
