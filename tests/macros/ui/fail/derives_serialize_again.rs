use task_runtime::task;

#[task(derive(Clone, serde::Serialize, Clone))]
async fn ping() {}

fn main() {}
