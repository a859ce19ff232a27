use task_runtime::task;

use task_runtime::Data;

#[task]
async fn ping(#[inject] count: &mut Data<u32>) {
    let _ = count;
}

fn main() {}
