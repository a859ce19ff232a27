use task_runtime::task;

#[task]
async fn ping(#[cfg(all())] to: String, #[cfg_attr(all(), allow(unused))] from: String) {
    let _ = to;
}

fn main() {}
