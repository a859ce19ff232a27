use task_runtime::task;

use task_runtime::Data;

struct Db;

#[task]
async fn send(to: String, db: Data<Db>) {
    let _ = (to, db);
}

fn main() {}
