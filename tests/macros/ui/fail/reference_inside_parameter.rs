use task_runtime::task;

#[task]
async fn ping(to: Option<&str>, all: &[&str], text: &&str) {
    let _ = (to, all, text);
}

fn main() {}
