use task_runtime::task;

#[task(queue = "mail:high")]
async fn with_a_colon() {}

#[task(queue = "{mail}")]
async fn with_a_brace() {}

fn main() {}
