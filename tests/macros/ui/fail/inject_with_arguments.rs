use task_runtime::task;

use task_runtime::Data;

#[task]
async fn ping(#[inject(shared)] one: Data<u8>, #[inject] #[inject] two: Data<u8>) {
    let _ = (one, two);
}

fn main() {}
