use task_runtime::task;

#[task(queue = "mail",, timeout = 30)]
async fn ping() {}

fn main() {}
