use task_runtime::task;

#[task(crate = "task_runtime")]
async fn ping() {}

fn main() {}
