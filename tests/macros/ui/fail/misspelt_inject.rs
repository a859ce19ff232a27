use task_runtime::task;

use task_runtime::Data;

#[task]
async fn ping(#[injct] one: Data<u8>, #[task_runtime::inject] two: Data<u8>) {
    let _ = (one, two);
}

fn main() {}
