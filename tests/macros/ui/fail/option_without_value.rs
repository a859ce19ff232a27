use task_runtime::task;

#[task(queue, timeout =, name("ping"))]
async fn ping() {}

fn main() {}
