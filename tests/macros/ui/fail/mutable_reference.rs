use task_runtime::task;

#[task]
async fn ping(count: &mut u32) {
    *count += 1;
}

fn main() {}
