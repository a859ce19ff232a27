use task_runtime::task;

#[task(timeout = 0)]
async fn no_time() {}

#[task(timeout = "31d")]
async fn too_long() {}

#[task(timeout = -5)]
async fn negative() {}

#[task(result_ttl = "31d")]
async fn kept_too_long() {}

#[task(backoff = constant("8d"))]
async fn delayed_too_long() {}

fn main() {}
