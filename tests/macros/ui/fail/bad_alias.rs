use task_runtime::task;

#[task(aliases = ["pong", "old name", "ping", "pong"])]
async fn ping() {}

fn main() {}
