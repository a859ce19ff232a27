use task_runtime::task;

#[task]
async fn ping() -> impl Sized {}

fn main() {}
