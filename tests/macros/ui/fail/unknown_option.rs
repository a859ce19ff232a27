use task_runtime::task;

#[task(timeuot = 30)]
async fn misspelt() {}

#[task(retries = 3, Queue = "mail")]
async fn foreign() {}

#[task(colour = "red")]
async fn strange() {}

fn main() {}
