use task_runtime::task;

#[task(blocking)]
async fn ping() {}

fn main() {}
