use task_runtime::task;

#[task]
fn ping() {}

fn main() {}
