use task_runtime::task;

#[task(job = "Ping")]
async fn in_quotes() {}

#[task(job = my::Ping)]
async fn path() {}

#[task]
async fn self_() {}

#[task]
async fn _2fa() {}

fn main() {}
