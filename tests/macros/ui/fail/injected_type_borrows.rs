use task_runtime::task;

use std::borrow::Cow;

use task_runtime::Data;

#[task]
async fn ping(#[inject] one: Data<&str>, #[inject] two: &Data<Cow<'_, str>>) {
    let _ = (one, two);
}

fn main() {}
