use task_runtime::task;

#[task(blocking = true, derive = [Clone], aliases = "old", queue: "mail", "mail")]
fn ping() {}

fn main() {}
