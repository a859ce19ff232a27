use task_runtime::task;

#[task(max_attempts = 0)]
async fn no_attempt() {}

#[task(max_attempts = 1001)]
async fn too_many() {}

#[task(max_crashes = 2.5)]
async fn fraction() {}

#[task(priority = 10)]
async fn too_important() {}

#[task(priority = "high")]
async fn in_words() {}

fn main() {}
