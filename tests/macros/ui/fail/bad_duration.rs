use task_runtime::task;

const LIMIT: u64 = 5;

#[task(timeout = 30s)]
async fn without_quotes() {}

#[task(timeout = "30")]
async fn without_unit() {}

#[task(timeout = "5min")]
async fn unknown_unit() {}

#[task(timeout = "30m1h")]
async fn wrong_order() {}

#[task(timeout = "soon")]
async fn no_duration() {}

#[task(timeout = LIMIT)]
async fn constant() {}

#[task(timeout = 0.0001)]
async fn too_fine() {}

fn main() {}
