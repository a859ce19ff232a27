use task_runtime::task;

#[task]
async fn ping<'a>(to: &'a str) {
    let _ = to;
}

fn main() {}
