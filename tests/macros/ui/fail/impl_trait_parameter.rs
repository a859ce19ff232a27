use task_runtime::task;

#[task]
async fn ping(to: impl Into<String>, all: Vec<impl Into<String>>) {
    let _ = (to.into(), all);
}

fn main() {}
