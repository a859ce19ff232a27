use task_runtime::task;

#[task(queue = mail)]
async fn ping() {}

fn main() {}
