use task_runtime::task;

#[task]
async fn count() -> usize {
    1
}

fn main() {}
