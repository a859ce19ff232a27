use task_runtime::task;

#[task(queue = "mail", timeout = 30, queue = "letters")]
async fn ping() {}

fn main() {}
